# Records every request that puma hands over by Rack. The kit puts in the file's name.
require 'json'

def text(value) = value.to_s.dup.force_encoding('UTF-8').scrub('?')

run(lambda do |env|
  vars = env.select { |k, _| k.start_with?('HTTP_', 'CONTENT_') }.map { |k, v| [text(k), text(v)] }
  line = JSON.generate(method: text(env['REQUEST_METHOD']), target: text(env['REQUEST_URI']), vars: vars, body: text(env['rack.input']&.read))
  File.open('@RECORD@', 'a') { |f| f.syswrite(line + "\n") }
  [200, { 'Content-Type' => 'text/plain', 'Content-Length' => '2' }, ['ok']]
end)
