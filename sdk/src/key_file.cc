#include "key_file.h"

#include "key_toml.h"
#include "options.h"
#include "wire/secret_file.h"

#include <zmq.h>
#include <array>
#include <cstdint>

namespace millrace {
namespace {

constexpr std::size_t curve_bytes = 32, z85_bytes = 40;

bool is_curve_key(const std::string& text) {
  std::array<std::uint8_t, curve_bytes> bytes{};
  return text.size() == z85_bytes && text.find('\0') == std::string::npos &&
         zmq_z85_decode(bytes.data(), text.c_str()) != nullptr;
}

class FileReader {
 public:
  FileReader(std::string path, const toml::table& table) : path_(std::move(path)), table_(table) {}

  void text(const char* key, std::string& out) {
    const auto value = table_[key].value_exact<std::string>();
    if (!value && table_.contains(key)) wrong(key, "must be a string");
    out = value.value_or("");
  }
  void boolean(const char* key, bool& out) {
    const auto value = table_[key].value_exact<bool>();
    if (!value && table_.contains(key)) wrong(key, "must be true or false");
    out = value.value_or(false);
  }
  void curve_key(const char* key, std::string& out) {
    text(key, out);
    if (!is_curve_key(out)) wrong(key, "must have 40 characters, as millrace keys new wrote them");
  }
  void texts(const char* key, std::vector<std::string>& out) {
    const auto* const list = table_[key].as_array();
    if (list == nullptr && table_.contains(key)) return wrong(key, "must be a list of strings");
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
      const auto value = (*list)[i].value_exact<std::string>();
      if (!value) return wrong(key, "must be a list of strings");
      out.push_back(*value);
    }
  }
  void wrong(const char* key, const std::string& what) {
    if (!error.empty()) return;
    const toml::node* const node = table_.get(key);
    const auto line = node == nullptr ? 0 : node->source().begin.line;
    error = path_ + (line == 0 ? "" : ":" + std::to_string(line)) + ": " + key + " " + what;
  }

  std::string error;  // the first

 private:
  const std::string path_;
  const toml::table& table_;
};

}  // namespace

Result<KeyFile> read_key_file(const std::string& path) {
  const auto text = wire::read_secret_file(wire::credential_path(path));
  if (!text) return tl::unexpected(text.error());
  const auto table = parse_key_toml(*text, path, "a key file");
  if (!table) return tl::unexpected(table.error());
  KeyFile key;
  FileReader reader(path, *table);
  reader.text("name", key.name);
  reader.curve_key("public_key", key.public_key);
  reader.curve_key("secret_key", key.secret_key);
  reader.texts("broker_public_keys", key.broker_public_keys);
  reader.texts("brokers", key.brokers);
  reader.boolean("ipc", key.ipc);
  if (key.broker_public_keys.empty()) reader.wrong("broker_public_keys", "is missing");
  for (const auto& one : key.broker_public_keys) {
    if (!is_curve_key(one)) reader.wrong("broker_public_keys", "must have 40 characters each");
  }
  std::array<char, z85_bytes + 1> open{};
  if (reader.error.empty() && (zmq_curve_public(open.data(), key.secret_key.c_str()) != 0 ||
                               key.public_key != open.data())) {
    reader.wrong("secret_key", "does not belong to public_key");
  }
  if (!reader.error.empty()) return tl::unexpected(invalid(std::move(reader.error)));
  return key;
}

}  // namespace millrace
