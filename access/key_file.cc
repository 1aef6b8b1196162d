#include "access/key_file.h"

#include "access/key_text.h"
#include "access/toml_reader.h"
#include "wire/secret_file.h"

#include <algorithm>
#include <filesystem>
#include <limits>

namespace millrace::access {
namespace {

constexpr std::int64_t number_max = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t sha256_hex_bytes = 64;

bool is_hash(std::string_view text) {
  return text.size() == sha256_hex_bytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

void read_secrets(TomlReader& reader, const toml::table& t, Key& key) {
  reader.text(t, "public_key", key.public_key);
  if (t.contains("public_key") && !valid_curve_key(key.public_key)) {
    reader.wrong(t.get("public_key")->source(),
                 "public_key must have the 40 characters that millrace keys new wrote");
  }
  reader.text(t, "token_sha256", key.token_sha256);
  if (t.contains("token_sha256") && !is_hash(key.token_sha256)) {
    reader.wrong(t.get("token_sha256")->source(),
                 "token_sha256 must have 64 hexadecimal digits, in lower case");
  }
  if (!t.contains("public_key") && !t.contains("token_sha256")) {
    reader.wrong(t.source(), "public_key or token_sha256 is missing: nobody could use this key");
  }
}

void read_roles(TomlReader& reader, const toml::table& t, Key& key) {
  for (const auto& [text, at] : reader.texts(t, "may")) {
    const Role* const role = parse_role(text);
    if (role != nullptr) {
      key.may.push_back(*role);
    } else {
      reader.wrong(at, "unknown role '" + text + "'; roles are " + role_names());
    }
  }
  if (!t.contains("may")) {
    reader.wrong(t.source(), "may is missing: list the roles of this key, of " + role_names());
  }
}

void read_topics(TomlReader& reader, const toml::table& t, Key& key) {
  for (const auto& [text, at] : reader.texts(t, "topics")) {
    if (valid_pattern(text)) {
      key.topics.push_back(text);
    } else {
      reader.wrong(at,
                   "'" + text +
                       "' is not a topic pattern: 1 to 64 characters of A-Z a-z 0-9 . _ - and *, "
                       "which stands for any characters");
    }
  }
  if (key.topics.size() > patterns_max) {
    reader.wrong(t.get("topics")->source(), "a key must not have more than 64 topic patterns");
  }
  if (!t.contains("topics")) {
    reader.wrong(t.source(), "topics is missing: list patterns, or \"*\" for every topic");
  }
}

std::string list(const auto& items, auto text_of) {
  std::string all;
  for (const auto& item : items) {
    all += (all.empty() ? "\"" : ", \"") + std::string(text_of(item)) + "\"";
  }
  return "[" + all + "]";
}

// As TOML writes a text of one line.
std::string toml_text(std::string_view text) {
  std::string all = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') all += '\\';
    all += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
  }
  return all + "\"";
}

}  // namespace

std::string key_name_of(const std::string& path) { return std::filesystem::path(path).stem(); }

std::optional<Key> parse_key(const std::string& path, std::string_view text,
                             std::vector<std::string>& errors) {
  const std::size_t before = errors.size();
  if (text.size() > wire::secret_file_bytes_max) {
    errors.push_back(path + " is larger than 64 KiB: it is no key file");
    return std::nullopt;
  }
  TomlReader reader(path, errors);
  const auto root = reader.parse(text);
  if (!root) return std::nullopt;
  Key key;
  key.name = key_name_of(path);
  if (!valid_key_name(key.name)) {
    reader.wrong(root->source(),
                 "the file's name must be the key's name and .toml: 1 to 64 characters of A-Z a-z "
                 "0-9 . _ - that begin with a letter or digit");
  }
  reader.known(*root, {"public_key", "token_sha256", "may", "topics", "expires", "revoked",
                       "comment", "quota"});
  read_secrets(reader, *root, key);
  read_roles(reader, *root, key);
  read_topics(reader, *root, key);
  reader.time(*root, "expires", key.expires_ms);
  reader.time(*root, "revoked", key.revoked_ms);
  reader.text(*root, "comment", key.comment);
  if (const toml::table* quota = reader.section(*root, "quota")) {
    reader.known(*quota, {"connections", "enqueues_per_second"});
    reader.number(*quota, "connections", 1, number_max, key.quota.connections);
    reader.number(*quota, "enqueues_per_second", 1, number_max, key.quota.enqueues_per_second);
  }
  if (errors.size() > before) return std::nullopt;
  return key;
}

std::string write_key(const Key& key) {
  std::string text = "# A key of the Millrace broker. It holds no secret.\n";
  const auto line = [&text](std::string_view name, const std::string& value) {
    text += std::string(name) + " = " + value + "\n";
  };
  if (!key.public_key.empty()) line("public_key", toml_text(key.public_key));
  if (!key.token_sha256.empty()) line("token_sha256", toml_text(key.token_sha256));
  line("may", list(key.may, role_name));
  line("topics", list(key.topics, [](const std::string& pattern) { return pattern; }));
  if (key.expires_ms != 0) line("expires", time_text(key.expires_ms));
  if (key.revoked_ms != 0) line("revoked", time_text(key.revoked_ms));
  if (!key.comment.empty()) line("comment", toml_text(key.comment));
  if (key.quota.connections == 0 && key.quota.enqueues_per_second == 0) return text;
  text += "[quota]\n";
  const auto number = [&line](std::string_view name, std::uint64_t value) {
    if (value != 0) line(name, std::to_string(value));
  };
  number("connections", key.quota.connections);
  number("enqueues_per_second", key.quota.enqueues_per_second);
  return text;
}

}  // namespace millrace::access
