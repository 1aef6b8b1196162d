// A client's key file: all that it needs to connect to a broker that requires keys. Written by
// millrace keys new; TOML:
//
//   name = "web-1"
//   public_key = "…"            Z85, 40 characters each
//   secret_key = "…"
//   broker_public_keys = ["…"]  of the broker; several while its key is being replaced
//   brokers = ["tcp://…"]       optional: where to connect if the program names no broker
//   ipc = true                  optional: ipc:// addresses need the key too
//
// Threads: pure functions.
#pragma once

#include <millrace/result.h>

#include <string>
#include <vector>

namespace millrace {

struct KeyFile {
  std::string name, public_key, secret_key;
  std::vector<std::string> broker_public_keys, brokers;
  bool ipc = false;
};

// An error names the file and the mistake, never the secret.
[[nodiscard]] Result<KeyFile> read_key_file(const std::string& path);

}  // namespace millrace
