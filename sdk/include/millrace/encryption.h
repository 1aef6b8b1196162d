// Encrypted payloads: a Producer with payload keys encrypts the payload of each job, and a Worker
// or Client with them decrypts it, so that the broker, its disk and its backups never have the
// plain text.
//
// What travels: payload = nonce (24 bytes), ciphertext, tag (16 bytes), of XChaCha20-Poly1305; and
// the header millrace-encryption = "xchacha20poly1305;key=ID". The topic and the id of the key are
// authenticated with it, so a payload that was moved to another topic is not decrypted. Topic, key,
// headers and times of a job, and the results and errors of handlers, are not encrypted.
//
// The file of payload keys is TOML, written by millrace payload-keys new (or create()):
//
//   current = "2026-11-29-5f0c9a17"
//   [keys]
//   "2026-11-29-5f0c9a17" = "…"       64 hexadecimal digits
//
// Producers encrypt with the current key; every key of the file decrypts.
//
// The keys are in memory that is locked, left out of core dumps, and cleared when the last copy of
// the PayloadKeys is gone; no message and no log contains them.
// Threads: any; a PayloadKeys does not change, and copies share the keys.
#pragma once

#include <millrace/export.h>
#include <millrace/result.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

class MILLRACE_HIDDEN PayloadKeyTable;

// Set by the SDK: a Producer with payload keys refuses a job that has it already.
inline constexpr std::string_view encryption_header = "millrace-encryption";

class MILLRACE_EXPORT PayloadKeys {
 public:
  PayloadKeys() = default;  // no keys: nothing is encrypted and nothing can be decrypted

  // Refused (invalid), with the place and without any secret: a file that is missing, that other
  // users can access, or that is not a file of payload keys. $CREDENTIALS_DIRECTORY/NAME is a
  // credential of systemd.
  [[nodiscard]] static Result<PayloadKeys> read(const std::string& path);
  // The file `path`; if that is empty the one that the environment variable MILLRACE_PAYLOAD_KEYS
  // names; without either no keys. For programs with an option for the path.
  [[nodiscard]] static Result<PayloadKeys> read_or_default(const std::string& path);

  // Both return the id of the new key, which is current from then on; never the key itself.
  // A new file (mode 0600) with one key; a file that exists is refused.
  [[nodiscard]] static Result<std::string> create(const std::string& path);
  // One more key in that file; the others stay, so that jobs of earlier keys can be decrypted.
  [[nodiscard]] static Result<std::string> rotate(const std::string& path);

  [[nodiscard]] bool empty() const { return table_ == nullptr; }
  [[nodiscard]] std::string current() const;           // an id; empty without keys
  [[nodiscard]] std::vector<std::string> ids() const;  // sorted

 private:
  friend MILLRACE_HIDDEN const PayloadKeyTable* table_of(const PayloadKeys& keys);
  std::shared_ptr<const PayloadKeyTable> table_;
};

}  // namespace millrace
