// The broker's own key: a secret file (0600) with the secret key that its clients' key files name
// by its public key.
//
//   secret_key = "…"
//
// And a client's key file, which holds all that a client needs (sdk/src/key_file.h reads it).
// Threads: pure functions.
#pragma once

#include "access/key_text.h"

#include <millrace/result.h>

#include <string>
#include <vector>

namespace millrace::access {

// An error names the file and what is wrong with it, never the key.
[[nodiscard]] Result<KeyPair> read_broker_key(const std::string& path);
[[nodiscard]] std::string write_broker_key(const KeyPair& keys);

struct ClientKey {
  std::string name;
  KeyPair keys;
  std::vector<std::string> broker_public_keys;  // the broker's; two while it is being replaced
  std::vector<std::string> brokers;             // addresses; may be empty
};
[[nodiscard]] std::string write_client_key(const ClientKey& key);

}  // namespace millrace::access
