class WhoamiChannel < ActionCable::Channel::Base
  def subscribed
    transmit({ user: connection.gate_user })
  end
end
