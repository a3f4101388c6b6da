# Ruby's websocket-driver behind the lines of `driver-replay -` (docs/captures.md): reads lines from standard input, and
# answers each with what the driver wrote and told, and then an empty line. Of the calls it knows start, text, binary, ping
# and close; it tells neither of Pings nor of Pongs.

require 'websocket/driver'

$stdin.binmode
$stdout.binmode
$stdout.sync = true

def hex(bytes)
  bytes.unpack1('H*')
end

def quoted(text)
  '"' + text.dup.force_encoding('UTF-8').gsub(/["\\\r\n\x00-\x1f\x7f]/) do |c|
    { '"' => '\\"', '\\' => '\\\\', "\r" => '\\r', "\n" => '\\n' }[c] || format('\\x%02x', c.ord)
  end + '"'
end

def unquoted(text)
  bytes = text.b[1..-2]
  bytes.gsub(/\\(x..|.)/n) do
    { 'r' => "\r", 'n' => "\n", '"' => '"', '\\' => '\\' }[$1] || [$1[1..2]].pack('H*')
  end
end

# What the driver writes to.
class Wire
  attr_reader :url

  def initialize(url, results)
    @url = url
    @results = results
  end

  def write(bytes)
    @results << [:output, bytes.b]
  end
end

def make(role, url, results)
  wire = Wire.new(url, results)
  driver = role == 'server' ? WebSocket::Driver.server(wire) : WebSocket::Driver.client(wire)
  driver.on(:connect) { driver.start } if role == 'server'
  driver.on(:open) { results << [:event, "open #{driver.version}"] }
  driver.on(:message) do |event|
    data = event.data
    results << [:event, data.is_a?(Array) ? "binary #{hex(data.pack('C*'))}".strip : "text #{quoted(data)}"]
  end
  driver.on(:close) { |event| results << [:event, "closed #{event.code} #{quoted(event.reason.to_s)}"] }
  driver
end

driver = nil
results = []
while (line = $stdin.gets)
  keyword, rest = line.chomp.split(' ', 2)
  case keyword
  when 'role'
    role, url = rest.split(' ')
    results = []
    driver = make(role, url, results)
  when '<'
    driver.parse([rest.to_s].pack('H*'))
  when '!'
    call, argument = rest.split(' ', 2)
    case call
    when 'start' then driver.start
    when 'text' then driver.text(unquoted(argument).force_encoding('UTF-8'))
    when 'binary' then driver.binary([argument.to_s].pack('H*').bytes)
    when 'ping' then driver.ping([argument.to_s].pack('H*').force_encoding('UTF-8'))
    when 'close'
      code, reason = argument.split(' ', 2)
      driver.close(unquoted(reason).force_encoding('UTF-8'), code.to_i)
    end
  end
  output = results.select { |kind, _| kind == :output }.map(&:last).join
  puts "> #{hex(output)}" unless output.empty?
  results.each { |kind, what| puts "* #{what}" if kind == :event }
  results.clear
  puts
end
