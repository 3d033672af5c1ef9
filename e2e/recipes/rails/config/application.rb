require "rails"
require "action_controller/railtie"
require "action_cable/engine"

class App < Rails::Application
  config.load_defaults 6.1
  config.eager_load = true
  config.root = File.expand_path("..", __dir__)
  config.logger = ActiveSupport::Logger.new($stdout)
  config.log_level = :info
  config.ssl_options = { hsts: { expires: 3600 } }
  config.middleware.use Rack::Deflater
end
