# A session of the stock Faye client for Ruby, told on stdout, one JSON document per line.
# Usage: faye_client.rb URL CHANNEL-OF-ITS-OWN (websocket | long-polling)
#
# It subscribes to /chat/*, publishes to its channel, says "subscribed", and disconnects when it got two messages: its
# own and one from elsewhere.

require 'eventmachine'
require 'faye'
require 'json'

url, channel, transport = ARGV
$stdout.sync = true

def tell(event, details = {})
  puts JSON.generate({ event: event }.merge(details))
end

EM.run do
  client = Faye::Client.new(url, timeout: 20)
  client.disable('websocket') if transport == 'long-polling'
  client.on('transport:down') { tell('transport:down') }

  received = 0
  subscription = client.subscribe('/chat/*').with_channel do |name, data|
    tell('message', channel: name, data: data)
    received += 1
    next unless received == 2
    # The dispatcher's word, for Faye itself does not say which transport it uses.
    tell('transport', type: client.instance_variable_get(:@dispatcher).connection_type)
    ending = client.disconnect
    ending.callback { tell('disconnected'); EM.stop }
    ending.errback { |error| tell('error', text: error.to_s); EM.stop }
  end

  subscription.errback { |error| tell('error', text: error.to_s); EM.stop }
  subscription.callback do
    publication = client.publish(channel, 'text' => 'from Ruby', 'n' => [1, 2.5, nil, "\u{1F3BA}"])
    publication.callback { tell('subscribed') }
    publication.errback { |error| tell('error', text: error.to_s); EM.stop }
  end

  refused = client.publish('/not.valid', 1)
  refused.callback { tell('error', text: 'an invalid channel was accepted') }
  refused.errback { |error| tell('refused', text: error.message, code: error.code) }

  EM.add_timer(20) { abort 'no end after 20 seconds' }
end
