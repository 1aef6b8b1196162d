// Who may ask the gateway for what, where tokens are required: the bearer token of a request, the
// roles and topics of its key, and how many jobs a second it may enqueue.
// Threads: those of the HTTP loop.
#pragma once

#include "access/enqueue_quotas.h"
#include "access/key_ring.h"
#include "http/server.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::gateway {

class TokenCheck {
 public:
  // keys_dir: a folder of key files; empty: no tokens are required and everything is allowed.
  explicit TokenCheck(const std::string& keys_dir);

  // The answer to a request that is refused: 401 or 403; nothing where it may be done.
  [[nodiscard]] std::optional<http::Response> refuse(const http::Exchange& request, wire::Verb verb,
                                                     std::string_view topic) const;
  // 429 where the key of the request has enqueued more than its quota; else the jobs are counted.
  [[nodiscard]] std::optional<http::Response> over_quota(const http::Exchange& request,
                                                         std::size_t jobs);

 private:
  std::unique_ptr<access::KeyRing> keys_;  // null: no tokens are required
  access::EnqueueQuotas quotas_;
};

}  // namespace millrace::gateway
