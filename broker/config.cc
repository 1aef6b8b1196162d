#include "config.h"

#include "access/toml_reader.h"
#include "addresses.h"
#include "http/server.h"

#include <arpa/inet.h>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <map>

namespace millrace {
namespace {

constexpr std::int64_t ms_max = std::int64_t{1} << 40U;

using File = access::TomlReader;

// The position of an address in the file.
struct Named {
  std::string address;
  toml::source_region at;
};

std::string line_of(const Named& named) { return "line " + std::to_string(named.at.begin.line); }

// All addresses of all shards are different, and different from the HTTP port.
void check_overlaps(File& file, const std::vector<Named>& all, std::uint32_t shards) {
  std::map<std::string, const Named*> taken;
  for (const Named& named : all) {
    const bool http = named.address.rfind("http://", 0) == 0;
    for (std::uint32_t shard = 0; shard < (http ? 1 : shards); ++shard) {
      const std::string place =
          http ? "tcp://" + named.address.substr(7) : place_of(named.address, shard);
      const auto [at, is_new] = taken.emplace(place, &named);
      if (is_new) continue;
      file.wrong(named.at,
                 named.address + " and " + at->second->address + " (" + line_of(*at->second) +
                     ") are both " + place +
                     (shards > 1 ? ", because each shard has an address of its own" : "") +
                     ": choose another");
      break;
    }
  }
}

std::filesystem::path real_path(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::weakly_canonical(std::filesystem::absolute(path), error);
  // Without the empty last part of a path that ends in a slash.
  return real.has_filename() ? real : real.parent_path();
}

bool lies_in(const std::filesystem::path& inner, const std::filesystem::path& outer) {
  const auto [left, right] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return left == outer.end();
}

// Checked after data_dir. An accident with one folder must not affect the other.
void read_backup_dir(File& file, const toml::table& t, Config& c) {
  const toml::node* node = t.get("backup_dir");
  if (node == nullptr) return;
  c.backup_dir = node->value_exact<std::string>().value_or("");
  if (c.backup_dir.empty()) {
    return file.wrong(node->source(), "backup_dir must be the path of a folder");
  }
  if (c.data_dir.empty()) return;
  const auto data = real_path(c.data_dir), backup = real_path(c.backup_dir);
  if (lies_in(backup, data) || lies_in(data, backup)) {
    file.wrong(node->source(),
               "backup_dir and data_dir must not contain each other: choose a separate folder, "
               "ideally on another disk");
  }
}

void read_listen(File& file, const toml::table& t, Config& c, std::vector<Named>& named) {
  const toml::node* listen = t.get("listen");
  if (listen == nullptr) return;
  c.listen.clear();
  if (!listen->is_array() || listen->as_array()->empty()) {
    return file.wrong(listen->source(), "listen must be a list of addresses");
  }
  for (const toml::node& node : *listen->as_array()) {
    const auto address = node.value_exact<std::string>();
    if (!address) {
      file.wrong(node.source(), "an address must be a string");
      continue;
    }
    c.listen.push_back(*address);
    const std::string what = wrong_address(*address, c.shards, !c.keys_dir.empty());
    if (what.empty()) {
      named.push_back({*address, node.source()});
    } else {
      file.wrong(node.source(), what);
    }
  }
}

// Checked after listen: clients of other machines cannot use an address that means all of ours.
void read_advertise(File& file, const toml::table& t, Config& c) {
  for (const auto& [address, at] : file.texts(t, "advertise")) {
    c.advertise.push_back(address);
    const std::string what = wrong_advertised(address, c.shards);
    if (!what.empty()) file.wrong(at, what);
  }
  if (!c.advertise.empty() && c.keys_dir.empty()) {
    return file.wrong(t.get("advertise")->source(),
                      "advertise is for clients of other machines: set [access] keys_dir too");
  }
  for (const auto& address : c.listen) {
    if (!c.advertise.empty() || !means_all_addresses(address)) continue;
    file.wrong(t.get("listen")->source(),
               address +
                   " means every address of this machine: set advertise to the one that "
                   "clients connect to, for example tcp://broker.example:7300");
  }
}

void read_access(File& file, const toml::table& t, Config& c) {
  file.known(t, {"keys_dir", "broker_key_file", "ipc_keys"});
  const auto path = [&](std::string_view key, std::string& out, const char* what) {
    file.text(t, key, out);
    if (!out.empty()) return;
    const toml::node* node = t.get(key);
    file.wrong(node == nullptr ? t.source() : node->source(),
               std::string(key) + " is missing: set it to " + what);
  };
  path("keys_dir", c.keys_dir, "the folder of the keys, one file a key (millrace keys new)");
  path("broker_key_file", c.broker_key_file,
       "the file of the broker's secret key (millrace keys init)");
  file.boolean(t, "ipc_keys", c.ipc_keys);
}

void read_broker(File& file, const toml::table& t, Config& c, std::vector<Named>& named) {
  file.known(t, {"data_dir", "listen", "shards", "allow_new_topics", "lease_ms", "heartbeat_ms",
                 "reconnect_ms", "grace_ms_max", "disk_free_bytes_min", "backup_dir", "advertise",
                 "audit"});
  file.number(t, "shards", 1, 64, c.shards);
  file.boolean(t, "allow_new_topics", c.allow_new_topics);
  file.number(t, "lease_ms", 100, ms_max, c.lease_ms);
  file.number(t, "heartbeat_ms", 10, ms_max, c.heartbeat_ms);
  if (c.lease_ms < 2 * c.heartbeat_ms) {
    file.wrong(t.source(), "lease_ms (" + std::to_string(c.lease_ms) +
                               ") must be at least twice heartbeat_ms (" +
                               std::to_string(c.heartbeat_ms) +
                               "): otherwise a healthy worker would lose its jobs");
  }
  file.number(t, "reconnect_ms", 0, ms_max, c.reconnect_ms);
  file.number(t, "grace_ms_max", 0, 60'000, c.grace_ms_max);
  file.number(t, "disk_free_bytes_min", 0, std::numeric_limits<std::int64_t>::max(),
              c.disk_free_bytes_min);
  if (const toml::node* node = t.get("data_dir")) {
    const auto value = node->value_exact<std::string>();
    if (!value || value->empty())
      file.wrong(node->source(), "data_dir must be the path of a folder");
    c.data_dir = value.value_or("");
  } else {
    file.wrong(t.source(), "data_dir is missing: set it to the folder for the broker's files");
  }
  file.boolean(t, "audit", c.audit);
  read_backup_dir(file, t, c);
  read_listen(file, t, c, named);
  read_advertise(file, t, c);
}

void read_file_path(File& file, const toml::table& t, const char* key, std::string& out) {
  const toml::node* node = t.get(key);
  if (node == nullptr) return;
  out = node->value_exact<std::string>().value_or("");
  if (out.empty()) file.wrong(node->source(), std::string(key) + " must be the path of a file");
}

void read_tls(File& file, const toml::table& t, Config& c) {
  constexpr const char *certificate = "tls_cert_file", *key = "tls_key_file";
  read_file_path(file, t, certificate, c.http_tls_cert_file);
  read_file_path(file, t, key, c.http_tls_key_file);
  if (t.contains(certificate) == t.contains(key)) return;
  const bool has_key = t.contains(key);
  file.wrong(t.get(has_key ? key : certificate)->source(),
             std::string(has_key ? certificate : key) +
                 " is missing: the certificate and its key must be given together");
}

void read_trusted_proxies(File& file, const toml::table& t, Config& c) {
  const toml::node* list = t.get("trusted_proxies");
  if (list == nullptr) return;
  if (!list->is_array()) {
    return file.wrong(list->source(),
                      "trusted_proxies must be a list such as [\"10.0.0.0/8\", \"::1\"]");
  }
  for (const toml::node& node : *list->as_array()) {
    c.http_trusted_proxies.push_back(node.value_exact<std::string>().value_or(""));
    if (http::parse_network(c.http_trusted_proxies.back())) continue;
    file.wrong(node.source(),
               "a trusted proxy must be an address or a network without bits after the prefix, "
               "such as \"192.0.2.7\", \"10.0.0.0/8\" or \"fd00::/8\"");
  }
}

// Metrics show every topic: other machines see them with a token alone, which must not cross a
// network in the clear.
std::string wrong_http(const Config& c, bool loopback) {
  if (c.http_tokens && c.keys_dir.empty()) {
    return "metrics show every topic, so " + std::string(loopback ? "tokens" : "this address") +
           " needs keys: set [access] keys_dir, or listen on 127.0.0.1:port or [::1]:port without "
           "tokens";
  }
  if (loopback) return {};
  if (!c.http_tokens) {
    return "metrics show every topic: tokens = false needs a loopback address, 127.0.0.1:port or "
           "[::1]:port";
  }
  if (!c.http_tls_cert_file.empty() || !c.http_trusted_proxies.empty()) return {};
  return "tokens must not be sent to this address unencrypted: set tls_cert_file and "
         "tls_key_file, or trusted_proxies if a proxy in front of it has HTTPS";
}

void read_http(File& file, const toml::table& t, Config& c, std::vector<Named>& named) {
  file.known(t, {"listen", "tls_cert_file", "tls_key_file", "trusted_proxies", "tokens"});
  read_tls(file, t, c);
  read_trusted_proxies(file, t, c);
  const toml::node* node = t.get("listen");
  if (node == nullptr)
    return file.wrong(t.source(), "listen is missing: set it to an address such as 127.0.0.1:7380");
  c.http_listen = node->value_exact<std::string>().value_or("");
  const auto address = http::parse_address(c.http_listen);
  if (!address) {
    return file.wrong(node->source(),
                      "listen must be an IP address and a port, such as 127.0.0.1:7380, "
                      "[::1]:7380 or 0.0.0.0:7380");
  }
  // Port 0 means any free port, so it cannot clash with another address.
  if (address->port != 0) named.push_back({"http://" + c.http_listen, node->source()});
  c.http_tokens = !http::is_loopback(*address);
  file.boolean(t, "tokens", c.http_tokens);
  const std::string what = wrong_http(c, http::is_loopback(*address));
  if (!what.empty()) file.wrong(node->source(), what);
}

void read_log(File& file, const toml::table& t, Config& c) {
  file.known(t, {"level", "format"});
  file.one_of(t, "level", {"debug", "info", "warn", "error"}, c.log_level);
  file.one_of(t, "format", {"auto", "text", "json"}, c.log_format);
}

bool topic_name_fits(std::string_view name) {
  const auto alnum = [](char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
  };
  if (name.empty() || name.size() > 64 || !alnum(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char ch) { return alnum(ch) || ch == '.' || ch == '_' || ch == '-'; });
}

void read_topic(File& file, const toml::table& t, Config& c) {
  file.known(t,
             {"name", "partitions", "max_attempts", "backoff_ms_min", "backoff_ms_max",
              "run_ms_max", "history", "history_ms", "dead_ms", "dead_max"},
             {{"attempts_max", "max_attempts"}});  // its name in 0.1
  core::Topic topic;
  topic.name = t["name"].value_exact<std::string>().value_or("");
  if (!topic_name_fits(topic.name)) {
    file.wrong(t.source(),
               "a topic name must consist of 1 to 64 characters of A-Z a-z 0-9 . _ - and begin "
               "with a letter or digit");
  }
  const auto same = std::find_if(c.topics.begin(), c.topics.end(), [&](const core::Topic& known) {
    return known.name == topic.name;
  });
  if (!topic.name.empty() && same != c.topics.end()) {
    file.wrong(t.get("name")->source(),
               "topic '" + topic.name + "' is defined twice: put its settings into one [[topic]]");
  }
  auto& s = topic.settings;
  file.number(t, "partitions", 1, core::partitions_max, s.partitions);
  for (const auto* const key : {"attempts_max", "max_attempts"}) {
    file.number(t, key, 1, 1'000, s.attempts_max);
  }
  if (t.contains("attempts_max") && t.contains("max_attempts")) {
    file.wrong(t.get("attempts_max")->source(),
               "attempts_max is the older name of max_attempts: give one of them");
  }
  file.number(t, "backoff_ms_min", 0, ms_max, s.backoff_ms_min);
  file.number(t, "backoff_ms_max", 1, ms_max, s.backoff_ms_max);
  file.number(t, "run_ms_max", 0, ms_max, s.run_ms_max);
  file.boolean(t, "history", s.history);
  file.number(t, "history_ms", 1, ms_max, s.history_ms);
  file.number(t, "dead_ms", 1, ms_max, s.dead_ms);
  file.number(t, "dead_max", 0, ms_max, s.dead_max);
  c.topics.push_back(std::move(topic));
}

}  // namespace

ReadConfig read_config(const std::string& path) {
  ReadConfig read;
  File file(path, read.errors);
  const auto parsed = file.parse_file();
  if (!parsed) return read;
  const toml::table& root = *parsed;
  file.known(root, {"broker", "access", "http", "log", "topic"});
  std::vector<Named> named;
  // First: where keys are used, listen may name other addresses.
  if (const toml::table* section = file.section(root, "access")) {
    read_access(file, *section, read.config);
  }
  if (const toml::table* broker = file.section(root, "broker")) {
    read_broker(file, *broker, read.config, named);
  } else if (root.get("broker") == nullptr) {
    file.wrong(root.source(), "section [broker] is missing");
  }
  if (const toml::table* http = file.section(root, "http"))
    read_http(file, *http, read.config, named);
  check_overlaps(file, named, read.config.shards);
  if (const toml::table* log = file.section(root, "log")) read_log(file, *log, read.config);
  if (const toml::node* topics = root.get("topic")) {
    if (!topics->is_array_of_tables()) {
      file.wrong(topics->source(), "topics must be written as [[topic]]");
    } else {
      for (const toml::node& node : *topics->as_array()) {
        read_topic(file, *node.as_table(), read.config);
      }
    }
  }
  return read;
}

std::string shard_address(const std::string& address, std::uint32_t shard) {
  if (shard == 0) return address;
  const auto colon = address.rfind(':');
  if (address.rfind("ipc://", 0) == 0) return address + "." + std::to_string(shard);
  std::uint32_t port = 0;
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  return address.substr(0, colon + 1) + std::to_string(port + shard);
}

std::vector<std::string> advertised_addresses(const Config& config, std::uint32_t shard) {
  std::vector<std::string> all;
  for (const auto& address : config.advertise.empty() ? config.listen : config.advertise) {
    if (address.rfind("tcp://", 0) == 0) all.push_back(shard_address(address, shard));
  }
  return all;
}

}  // namespace millrace
