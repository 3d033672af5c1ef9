// Records every request that Node's HTTP server hands over. It reads messages as
// leniently as Node can, changes to whatever protocol it is asked for, and answers TRACE.
// The kit puts in the file's name.
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'

const record = (method, target, raw, body) => {
  const vars = []
  for (let i = 0; i < raw.length; i += 2) vars.push([raw[i], raw[i + 1]])
  appendFileSync('@RECORD@', JSON.stringify({ method, target, vars, body }) + '\n')
}
const server = createServer({ insecureHTTPParser: true, requireHostHeader: false }, (req, res) => {
  let body = ''
  req.setEncoding('latin1')
  req.on('error', () => {})
  req.on('data', part => (body += part))
  req.on('end', () => {
    record(req.method, req.url, [...req.rawHeaders, ...req.rawTrailers], body)
    res.setHeader('Content-Type', 'text/plain')
    if (req.method === 'TRACE') res.end(req.rawHeaders.join('\n'))
    else if (req.url.startsWith('/paid/bomb')) {
      res.setHeader('Content-Type', 'text/html')
      res.setHeader('Content-Encoding', 'gzip')
      import('node:fs').then(fs => fs.createReadStream('@BOMB@').pipe(res))
    } else res.end('ok')
  })
})
const tunnel = (req, socket, head) => {
  record('UPGRADE ' + (req.headers.upgrade ?? req.method), req.url, req.rawHeaders, head.toString('latin1'))
  socket.on('error', () => {})
  socket.on('data', data => record('TUNNEL ' + (req.headers.upgrade ?? req.method), req.url, [], data.toString('latin1')))
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${req.headers.upgrade ?? 'x'}\r\n\r\nwelcome`)
}
server.on('upgrade', tunnel)
server.on('connect', tunnel)
server.on('clientError', (_, socket) => socket.destroy())
server.listen(Number(process.argv[2]), '127.0.0.1')
