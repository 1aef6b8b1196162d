// Which messages are acts that the audit log records (each that changes something by the decision
// of a person: permissions operate and admin), and what their lines say. A line is on disk before
// the act is answered; refused acts have a line too.
// Threads: the shard's. The log may be shared by several shards.
#pragma once

#include "access/key.h"
#include "audit/log.h"
#include "net/endpoint.h"
#include "net/replies.h"

#include <millrace/result.h>

#include <optional>
#include <string>

namespace millrace::runtime {

class ActAudit {
 public:
  // Null: nothing is recorded.
  explicit ActAudit(audit::AuditLog* log) : log_(log) {}

  // Nothing where the message is no act, or where nothing is recorded.
  [[nodiscard]] std::optional<audit::Entry> begin(const net::Incoming& message, wire::Verb verb,
                                                  const access::Key* key) const;
  // Empty, or why no act may be done now: earlier lines could not be written.
  [[nodiscard]] std::string why_not();
  void refused(audit::Entry act, const Error& error);
  void answered(audit::Entry act, const net::Answer& answer);
  // What was added since the last call is on disk when it returns; else the log says why not, and
  // no further act is done until it is.
  void sync();

 private:
  void add(const audit::Entry& act);

  audit::AuditLog* log_;
  bool waiting_ = false;
  std::string failed_;
};

}  // namespace millrace::runtime
