// The gateway's command line.
#include "options.h"

#include <millrace/times.h>

#include <getopt.h>
#include <algorithm>
#include <charconv>
#include <optional>

namespace millrace::gateway {
namespace {

using namespace std::chrono_literals;

enum Flag : int {
  listen = 1,
  broker,
  connections,
  body,
  bodies,
  key_file,
  payload_keys,
  timeout,
  drain,
  keys_dir,
  tls_cert,
  tls_key,
  trusted_proxies,
  log_requests,
  help,
  version
};

constexpr option flags[] = {{"listen", required_argument, nullptr, listen},
                            {"broker", required_argument, nullptr, broker},
                            {"connections-max", required_argument, nullptr, connections},
                            {"body-bytes-max", required_argument, nullptr, body},
                            {"bodies-bytes-max", required_argument, nullptr, bodies},
                            {"key-file", required_argument, nullptr, key_file},
                            {"payload-keys", required_argument, nullptr, payload_keys},
                            {"timeout", required_argument, nullptr, timeout},
                            {"drain", required_argument, nullptr, drain},
                            {"keys-dir", required_argument, nullptr, keys_dir},
                            {"tls-cert", required_argument, nullptr, tls_cert},
                            {"tls-key", required_argument, nullptr, tls_key},
                            {"trusted-proxies", required_argument, nullptr, trusted_proxies},
                            {"log-requests", no_argument, nullptr, log_requests},
                            {"help", no_argument, nullptr, help},
                            {"version", no_argument, nullptr, version},
                            {nullptr, 0, nullptr, 0}};

std::optional<std::uint64_t> number(std::string_view text, std::uint64_t least,
                                    std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = wrong == std::errc{} && end == text.data() + text.size();
  if (!whole || value < least || value > most) return std::nullopt;
  return value;
}

std::string set_listen(Options& options, const std::string& text) {
  const auto address = http::parse_address(text);
  if (!address) {
    return "--listen takes an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080, not '" +
           text + "'";
  }
  options.listen = *address;
  return {};
}

// A list with commas; given again, it is added to.
std::string set_proxies(Options& options, std::string_view list) {
  while (true) {
    const auto comma = std::min(list.find(','), list.size());
    const std::string_view item = list.substr(0, comma);
    const auto network = http::parse_network(item);
    if (!network) {
      return "--trusted-proxies takes addresses and networks such as 10.0.0.0/8,192.0.2.7,::1 "
             "without spaces and without bits after the prefix, not '" +
             std::string(item) + "'";
    }
    options.trusted_proxies.push_back(*network);
    if (comma == list.size()) return {};
    list.remove_prefix(comma + 1);
  }
}

std::string set_file(std::string* to, const char* flag, const char* path) {
  *to = path;
  return to->empty() ? std::string(flag) + " takes the path of a file" : std::string();
}

template <typename To>
std::string set_number(To* to, const char* flag, const char* text, std::uint64_t most) {
  const auto value = number(text, 1, most);
  if (!value) {
    return std::string(flag) + " takes a number from 1 to " + std::to_string(most) + ", not '" +
           text + "'";
  }
  *to = To(*value);
  return {};
}

std::string set_duration(std::chrono::milliseconds* to, const char* flag, const char* text,
                         std::chrono::milliseconds least, std::chrono::milliseconds most) {
  const auto span = parse_duration(text);
  if (!span) return std::string(flag) + ": " + span.error().message;
  if (*span < least || *span > most) {
    return std::string(flag) + " takes " + std::to_string(least.count()) + "ms to " +
           std::to_string(most.count() / 1'000) + "s, not '" + text + "'";
  }
  *to = *span;
  return {};
}

std::string apply(Options& o, int flag, const char* value) {
  switch (flag) {
    case listen: return set_listen(o, value);
    case broker: o.brokers.emplace_back(value); return {};
    case connections: return set_number(&o.connections_max, "--connections-max", value, 65'536);
    case body: return set_number(&o.body_bytes_max, "--body-bytes-max", value, 64U << 20);
    case bodies:
      return set_number(&o.bodies_bytes_max, "--bodies-bytes-max", value, std::uint64_t{1} << 40U);
    case key_file: o.key_file = value; return {};
    case payload_keys: o.payload_keys_file = value; return {};
    case timeout: return set_duration(&o.timeout, "--timeout", value, 100ms, 5min);
    case drain: return set_duration(&o.drain, "--drain", value, 0ms, 1h);
    case keys_dir: return set_file(&o.keys_dir, "--keys-dir", value);
    case tls_cert: return set_file(&o.tls_cert, "--tls-cert", value);
    case tls_key: return set_file(&o.tls_key, "--tls-key", value);
    case trusted_proxies: return set_proxies(o, value);
    case log_requests: o.log_requests = true; return {};
    case help: o.help = true; return {};
    case version: o.version = true; return {};
    default: return "see millrace-gateway --help";
  }
}

std::string misread(int flag, const std::string& word) {
  if (flag == ':') return word + " needs a value; see millrace-gateway --help";
  return "unknown option '" + word + "'; see millrace-gateway --help";
}

// Other machines reach the gateway with tokens alone, which must not cross a network in the clear.
std::string wrong_for_others(const Options& options) {
  if (http::is_loopback(options.listen)) return {};
  if (options.keys_dir.empty()) {
    return options.listen.host +
           " is not a loopback address, so everybody who reaches it could enqueue jobs: require "
           "tokens with --keys-dir";
  }
  if (!options.tls_cert.empty() || !options.trusted_proxies.empty()) return {};
  return options.listen.host +
         " is not a loopback address, and tokens must not be sent to it unencrypted: give "
         "--tls-cert and --tls-key, or --trusted-proxies if a proxy in front of it has HTTPS";
}

// From the file that was named; what is wrong with it, or empty.
std::string read_payload_keys(Options& options) {
  auto keys = PayloadKeys::read_or_default(options.payload_keys_file);
  if (!keys) return keys.error().message;
  options.payload_keys = std::move(*keys);
  return {};
}

}  // namespace

const char* usage() {
  return R"(usage: millrace-gateway [options]
Accepts jobs over HTTP and answers when the broker has stored them.
  --listen ADDRESS:PORT   address to listen on (127.0.0.1:8080); [::1]:8080 for IPv6
  --keys-dir FOLDER       require a token of a key in this folder (millrace keys new NAME --token)
                          in the header Authorization: Bearer TOKEN; needed, with HTTPS or
                          --trusted-proxies, for an address that is not loopback
  --broker ENDPOINT       address of the broker, ipc://PATH or tcp://HOST:PORT; may be repeated
                          (MILLRACE_BROKER, else ipc:///run/millrace/millrace.sock)
  --key-file FILE         the gateway's key file, for brokers that require keys (MILLRACE_KEY_FILE)
  --tls-cert FILE         serve HTTPS instead of HTTP with this certificate chain (PEM), and
  --tls-key FILE          its private key, which only its owner may read; both files are looked at
                          every second, and a new pair is used without a restart
  --trusted-proxies LIST  addresses and networks of proxies whose X-Forwarded-For and
                          X-Forwarded-Proto are accepted: 10.0.0.0/8,::1; may be repeated
  --log-requests          log each request: the client's address, method, path and status
  --payload-keys FILE     file of payload keys: payloads are encrypted before they are sent to the
                          broker (MILLRACE_PAYLOAD_KEYS)
  --connections-max N     maximum number of client connections (4096, or as many as the limit of
                          file descriptors allows)
  --body-bytes-max N      maximum size of a request body (4194304)
  --bodies-bytes-max N    maximum size of the bodies of all open requests together (268435456);
                          above it, bodies of more than 64 KiB get a 503
  --timeout DURATION      how long to wait for the broker, and for a client that sends nothing (5s)
  --drain DURATION        after SIGTERM, /readyz answers 503 for this time while requests are still
                          served, so that load balancers notice (5s); a second signal, or SIGINT,
                          stops it at once
  --help, --version       print this help, or the version
Routes: POST /v1/topics/TOPIC/jobs, GET and DELETE /v1/jobs/TOPIC/PARTITION/SEQ,
/healthz, /readyz, /metrics
A DURATION is a number with a unit: 500ms, 30s, 1h30m.
SIGHUP reads the certificate again now.
Exit codes: 0 stopped, 64 usage error, 71 too few file descriptors, 74 cannot listen, 78 the
certificate or its key cannot be used
)";
}

ReadOptions read_options(int count, char** arguments) {
  ReadOptions read;
  int flag = 0;
  opterr = 0;  // the sentences are ours
  while (read.error.empty() && (flag = getopt_long(count, arguments, ":", flags, nullptr)) != -1) {
    read.error = flag == '?' || flag == ':' ? misread(flag, arguments[optind - 1])
                                            : apply(read.options, flag, optarg);
  }
  if (read.error.empty() && optind < count) {
    read.error =
        std::string("unexpected argument '") + arguments[optind] + "'; see millrace-gateway --help";
  }
  if (read.error.empty()) read.error = wrong_for_others(read.options);
  if (read.error.empty() && read.options.tls_cert.empty() != read.options.tls_key.empty()) {
    read.error = "--tls-cert and --tls-key must be given together";
  }
  const bool runs = !read.options.help && !read.options.version;
  if (read.error.empty() && runs) read.error = read_payload_keys(read.options);
  return read;
}

}  // namespace millrace::gateway
