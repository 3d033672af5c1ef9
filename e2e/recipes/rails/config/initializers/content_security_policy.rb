# As `rails new` writes it, with a policy that permits nothing but the nonce.
Rails.application.config.content_security_policy do |policy|
  policy.default_src :none
  policy.script_src  :strict_dynamic
  policy.connect_src :self
end
Rails.application.config.content_security_policy_nonce_generator = ->(request) { request.session.id.to_s }
Rails.application.config.content_security_policy_nonce_directives = %w[script-src]
