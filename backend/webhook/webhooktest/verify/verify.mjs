// Reads calls of webhooks, one JSON object a line, and says of each whether the
// standardwebhooks package takes it: "ok", or why not.
import { createInterface } from 'node:readline'
import { Webhook } from 'standardwebhooks'

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body, now_ms } = JSON.parse(line)
  Date.now = () => now_ms
  try {
    new Webhook(secret).verify(body, headers)
    console.log('ok')
  } catch (err) {
    console.log(err.message)
  }
}
