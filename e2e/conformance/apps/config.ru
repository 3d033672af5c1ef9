# An app for Rack. Its files are in the folder of this one, below www.
require "digest"

FILES = File.expand_path("../www", __dir__)

# Echoes short frames of clients whose mask is zero.
def echo(io)
  loop do
    head = io.read(6)
    break unless head && head.bytesize == 6
    n = head.getbyte(1) & 0x7f
    io.write([head.getbyte(0), n].pack("CC") + io.read(n))
    io.flush
  end
rescue IOError, SystemCallError
ensure
  io.close
end

run(lambda do |env|
  text = { "content-type" => "text/plain" }
  case env["PATH_INFO"]
  when "/page"
    next [304, { "etag" => '"page"' }, []] if env["HTTP_IF_NONE_MATCH"].to_s.include?('"page"')
    page = File.binread("#{FILES}/page.html")
    [200, { "content-type" => "text/html", "content-length" => page.bytesize.to_s, "etag" => '"page"' }, env["REQUEST_METHOD"] == "HEAD" ? [] : [page]]
  when "/large.bin"
    file = File.open("#{FILES}/large.bin", "rb")
    [200, { "content-type" => "application/octet-stream", "content-length" => file.size.to_s }, env["REQUEST_METHOD"] == "HEAD" ? [] : file]
  when "/chunked" then [200, text, Enumerator.new { |y| 1000.times { |i| y << "line #{i}\n" } }]
  when "/echo" then [200, text, [env["QUERY_STRING"].delete_prefix("n=")]]
  when "/redirect" then [302, { "location" => "/page" }, []]
  when "/upload"
    digest = Digest::SHA256.new
    size = 0
    while (part = env["rack.input"].read(65_536))
      digest << part
      size += part.bytesize
    end
    [200, text, ["#{digest.hexdigest} #{size}"]]
  when "/ws"
    accept = Digest::SHA1.base64digest(env["HTTP_SEC_WEBSOCKET_KEY"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    io = env["rack.hijack"].call
    io.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: #{accept}\r\n\r\n")
    io.flush
    Thread.new { echo(io) }
    [-1, {}, []]
  else [404, text, []]
  end
end)
