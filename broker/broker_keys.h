// The broker's key and those of its clients: read at the start, kept up while it runs, and every
// change written to the log and the audit log.
// Threads: any, once it is made.
#pragma once

#include "access/key_ring.h"
#include "audit/log.h"
#include "config.h"
#include "runtime/key_check.h"
#include "runtime/shard_server.h"

#include <millrace/result.h>

#include <memory>
#include <string>
#include <vector>

namespace millrace {

class BrokerKeys {
 public:
  BrokerKeys(const Config& config, access::KeyPair broker, audit::AuditLog* log);

  [[nodiscard]] const access::KeyRing& ring() const { return ring_; }
  [[nodiscard]] const runtime::ServerKeys& server() const { return server_; }

 private:
  access::KeyRing ring_;
  runtime::KeyCheck check_;
  runtime::ServerKeys server_;
};

// Null where the settings name no keys; an error sentence where the broker's key cannot be read.
// log: of the process, where changes of keys are recorded; may be null.
[[nodiscard]] Result<std::unique_ptr<BrokerKeys>> open_keys(const Config& config,
                                                            audit::AuditLog* log);

// A sentence for each mistake in the broker's key and in the keys of its folder.
[[nodiscard]] std::vector<std::string> wrong_with_keys(const Config& config);

}  // namespace millrace
