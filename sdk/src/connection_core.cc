#include "connection_core.h"

#include "options.h"
#include "wire/limits.h"

#include <unistd.h>
#include <algorithm>
#include <cstdlib>
#include <utility>

namespace millrace {
namespace {

// Whether anything but the defaults is asked for.
bool given(const ConnectionOptions& options) {
  return !options.brokers.empty() || !options.name.empty() ||
         options.reply_patience != ConnectionOptions{}.reply_patience || options.log ||
         options.on_connected || options.on_disconnected || !options.key_file.empty();
}

constexpr const char* default_broker = "ipc:///run/millrace/millrace.sock";
constexpr const char* broker_variable = "MILLRACE_BROKER";
constexpr const char* key_variable = "MILLRACE_KEY_FILE";

std::string default_name() {
  char host[128] = "host";
  ::gethostname(host, sizeof host - 1);
  return std::string(host) + ":" + std::to_string(::getpid());
}

}  // namespace

ConnectionCore::ConnectionCore(ConnectionOptions options, std::optional<Error> wrong)
    : options_(std::move(options)), wrong_(std::move(wrong)) {
  read_key();
  std::string from;
  if (options_.brokers.empty()) {
    const char* named = std::getenv(broker_variable);
    if (named != nullptr && *named != '\0') from = broker_variable;
    if (from.empty() && key_) options_.brokers = key_->brokers;
    if (options_.brokers.empty())
      options_.brokers.emplace_back(from.empty() ? default_broker : named);
  }
  if (!wrong_) wrong_ = misfit(options_, from);
  if (options_.name.empty()) options_.name = default_name();
  options_.reply_patience = std::min(options_.reply_patience, span_max);
  options_.name.resize(std::min(options_.name.size(), wire::name_bytes_max));
}

void ConnectionCore::read_key() {
  const char* const named = std::getenv(key_variable);
  if (options_.key_file.empty() && named != nullptr) options_.key_file = named;
  if (options_.key_file.empty() || wrong_) return;
  auto key = read_key_file(options_.key_file);
  if (key) {
    key_ = std::move(*key);
  } else {
    wrong_ = key.error();
  }
}

ConnectionCore::~ConnectionCore() {
  if (here()) misuse("a Connection is destroyed inside one of its callbacks");
}

Link& ConnectionCore::shared_link(wire::Role role) {
  const std::lock_guard lock(mutex_);
  if (!shared_link_) shared_link_ = std::make_unique<Link>(loop_, options_, key(), role);
  return *shared_link_;
}

bool ConnectionCore::connected() const {
  const std::lock_guard lock(mutex_);
  return shared_link_ && shared_link_->all_ready();
}

ConnectionRef connection_of(const ConnectionOptions& own,
                            const std::shared_ptr<Connection>& shared) {
  if (!shared) return std::make_shared<ConnectionCore>(own);
  const auto& core = core_of(*shared);
  if (!given(own)) return core;
  ConnectionOptions refused = own;
  if (!refused.log) refused.log = core->options().log;
  return std::make_shared<ConnectionCore>(
      std::move(refused),
      invalid("connection and shared_connection cannot be used together: set one of them"));
}

const ConnectionRef& core_of(const Connection& connection) { return connection.core_; }

Connection::Connection(ConnectionOptions options)
    : core_(std::make_shared<ConnectionCore>(std::move(options))) {}
// In a child of fork(): leaked on purpose, for all that it would close is the parent's too.
Connection::~Connection() {
  if (core_->inherited()) [[maybe_unused]]
    const auto* const parents = new ConnectionRef(core_);
}

bool Connection::connected() const { return !core_->inherited() && core_->connected(); }

}  // namespace millrace
