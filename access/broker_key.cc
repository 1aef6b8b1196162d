#include "access/broker_key.h"

#include "access/toml_reader.h"
#include "wire/secret_file.h"

namespace millrace::access {
namespace {

std::string list(const std::vector<std::string>& items) {
  std::string all;
  for (const auto& item : items) all += (all.empty() ? "\"" : ", \"") + item + "\"";
  return "[" + all + "]";
}

}  // namespace

Result<KeyPair> read_broker_key(const std::string& path) {
  const auto text = wire::read_secret_file(path);
  if (!text) return tl::unexpected(text.error());
  std::vector<std::string> errors;
  TomlReader reader(path, errors);
  KeyPair keys;
  if (const auto root = reader.parse(*text)) {
    reader.known(*root, {"secret_key"});
    reader.text(*root, "secret_key", keys.secret_key);
    keys.public_key = public_key_of(keys.secret_key);
    if (errors.empty() && keys.public_key.empty()) {
      const toml::node* const node = root->get("secret_key");
      reader.wrong(node == nullptr ? root->source() : node->source(),
                   "secret_key must have the 40 characters that millrace keys init "
                   "wrote");
    }
  }
  if (!errors.empty()) return tl::unexpected(Error{ErrorCode::invalid, errors.front(), {}});
  return keys;
}

std::string write_broker_key(const KeyPair& keys) {
  return "# The secret key of this Millrace broker: readable by the broker alone (0600).\n"
         "secret_key = \"" +
         keys.secret_key + "\"\n";
}

std::string write_client_key(const ClientKey& key) {
  std::string text = "# The key of " + key.name +
                     " for a Millrace broker. It is secret: readable by its owner alone (0600).\n"
                     "name = \"" +
                     key.name + "\"\npublic_key = \"" + key.keys.public_key +
                     "\"\nsecret_key = \"" + key.keys.secret_key +
                     "\"\nbroker_public_keys = " + list(key.broker_public_keys) + "\n";
  if (!key.brokers.empty()) text += "brokers = " + list(key.brokers) + "\n";
  return text;
}

}  // namespace millrace::access
