#include "runtime/act_audit.h"

#include "wire/codec.h"

#include <spdlog/spdlog.h>

namespace millrace::runtime {
namespace {

using wire::Permission;
using wire::Verb;
using wire::VerbKind;

bool is_act(Verb verb) {
  const auto kind = wire::verb_kind(static_cast<std::uint64_t>(verb));
  const auto permission = wire::verb_permission(verb);
  return (kind == VerbKind::command || kind == VerbKind::backup) &&
         (permission == Permission::operate || permission == Permission::admin);
}

std::string text_of(const wire::JobRef& job) {
  return wire::job_text(job.topic, job.partition, job.seq);
}
std::string text_of(const wire::TopicName& body) { return std::string(body.topic); }
std::string text_of(const wire::TopicCreate& body) { return std::string(body.topic); }
std::string text_of(const wire::JobName& body) { return text_of(body.job); }
std::string text_of(const wire::Backup& body) { return "backup " + std::string(body.name); }
std::string text_of(const wire::DeadSelect& body) {
  if (body.jobs.empty()) {
    return std::string(body.topic) + ", the oldest " + std::to_string(body.limit.value_or(0));
  }
  std::string all;
  for (const auto& job : body.jobs) all += (all.empty() ? "" : " ") + text_of(job);
  return all;
}

template <typename Body>
std::string text_in(std::string_view frame) {
  const auto body = wire::decode<Body>(frame);
  return body ? text_of(*body) : std::string();
}

// What an act is about; empty where its body cannot be read.
std::string subject(Verb verb, std::string_view body) {
  switch (verb) {
    case Verb::topic_create: return text_in<wire::TopicCreate>(body);
    case Verb::cancel: return text_in<wire::JobName>(body);
    case Verb::dead_requeue:
    case Verb::dead_purge: return text_in<wire::DeadSelect>(body);
    case Verb::backup: return text_in<wire::Backup>(body);
    default: return text_in<wire::TopicName>(body);
  }
}

std::string name_of(const net::Incoming& message, const access::Key* key) {
  if (key != nullptr) return key->name;
  if (!message.public_key.empty()) return "key " + std::string(message.public_key);
  const auto uid = net::peer_uid(message);
  return uid ? "local uid " + std::to_string(*uid) : "local";
}

std::string place_of(const net::Incoming& message) {
  if (message.public_key.empty() && net::peer_uid(message)) return "ipc";
  return message.address.empty() ? "this machine" : std::string(message.address);
}

}  // namespace

std::optional<audit::Entry> ActAudit::begin(const net::Incoming& message, Verb verb,
                                            const access::Key* key) const {
  if (log_ == nullptr || !is_act(verb)) return std::nullopt;
  return audit::Entry{.who = name_of(message, key),
                      .from = place_of(message),
                      .verb = std::string(wire::verb_name(static_cast<std::uint64_t>(verb))),
                      .on = subject(verb, message.body)};
}

std::string ActAudit::why_not() {
  if (waiting_) sync();
  if (failed_.empty()) return {};
  return "the audit log cannot be written, so nothing was changed: " + failed_;
}

void ActAudit::refused(audit::Entry act, const Error& error) {
  act.result = to_string(error.code);
  act.message = error.message;
  add(act);
  sync();
}

void ActAudit::answered(audit::Entry act, const net::Answer& answer) {
  if (answer.verb == Verb::error) {
    const auto error = wire::decode<wire::ErrorBody>(answer.body);
    act.result = error ? std::string(error->code) : "error";
    if (error) act.message = error->message;
  }
  add(act);
}

void ActAudit::add(const audit::Entry& act) {
  const auto added = log_->append({act});
  if (!added) {
    failed_ = added.error().message;
    spdlog::error("a line of the audit log is lost: {} {} by {}: {}", act.verb, act.on, act.who,
                  failed_);
  }
  waiting_ = true;
}

void ActAudit::sync() {
  if (!waiting_) return;
  const auto synced = log_->sync();
  if (!synced && failed_ != synced.error().message) {
    spdlog::error("the audit log cannot be written: {}", synced.error().message);
  }
  failed_ = synced ? "" : synced.error().message;
  waiting_ = !synced;
}

}  // namespace millrace::runtime
