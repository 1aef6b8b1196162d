#include "payload_key_table.h"

#include "key_toml.h"
#include "options.h"
#include "wire/secret_file.h"

#include <sodium.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <optional>
#include <utility>

namespace millrace {
namespace {

static_assert(payload_key_bytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
constexpr std::size_t digits_of_key = 2 * payload_key_bytes,
                      id_bytes_max = 48;  // no id looks like a key
constexpr std::size_t keys_max = 256;

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Texts that hold a secret are cleared on every way out.
class Cleared {
 public:
  explicit Cleared(std::string& text) : text_(text) {}
  ~Cleared() { sodium_memzero(text_.data(), text_.size()); }
  Cleared(const Cleared&) = delete;
  Cleared& operator=(const Cleared&) = delete;

 private:
  std::string& text_;
};

// Takes the secrets out of the text before it is parsed, because the parser's own copies of them
// could not be cleared. Each becomes its number, with leading zeros: places stay as they were.
class TakenSecrets {
 public:
  explicit TakenSecrets(std::string& text) {
    std::vector<std::size_t> places;
    for (std::size_t at = 0; at < text.size();) {
      const auto begin = text.begin() + std::ptrdiff_t(at);
      const auto run = std::size_t(std::find_if_not(begin, text.end(), is_hex) - begin);
      if (run == digits_of_key) places.push_back(at);
      at += std::max<std::size_t>(run, 1);
    }
    count_ = places.size();
    bytes_.reset(static_cast<unsigned char*>(
        sodium_malloc(std::max<std::size_t>(count_, 1) * payload_key_bytes)));
    for (std::size_t i = 0; bytes_ && i < count_; ++i) {
      sodium_hex2bin(bytes_.get() + i * payload_key_bytes, payload_key_bytes, &text[places[i]],
                     digits_of_key, nullptr, nullptr, nullptr);
      const std::string number = std::to_string(i);
      text.replace(places[i], digits_of_key,
                   std::string(digits_of_key - number.size(), '0') + number);
    }
  }
  [[nodiscard]] bool in_memory() const { return bytes_ != nullptr; }
  // Null where the text is none of the numbers.
  [[nodiscard]] const unsigned char* find(std::string_view text) const {
    std::size_t number = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    const bool whole = read.ec == std::errc{} && read.ptr == end;
    if (!whole || text.size() != digits_of_key || number >= count_) return nullptr;
    return bytes_.get() + number * payload_key_bytes;
  }

 private:
  std::size_t count_ = 0;
  SodiumMemory bytes_;
};

Error mistake(const std::string& path, const toml::node* node, const std::string& what) {
  const auto line = node == nullptr ? 0 : node->source().begin.line;
  return invalid(path + (line == 0 ? "" : ":" + std::to_string(line)) + ": " + what);
}

struct FoundKey {
  std::string id;
  const unsigned char* bytes;
};

Result<std::vector<FoundKey>> keys_in(const std::string& path, const toml::table& table,
                                      const TakenSecrets& secrets) {
  const auto* const keys = table["keys"].as_table();
  if (keys == nullptr || keys->empty()) {
    return tl::unexpected(mistake(path, table.get("keys"),
                                  "the table [keys] is missing or empty: it holds an id and a key "
                                  "a line"));
  }
  if (keys->size() > keys_max) {
    return tl::unexpected(mistake(path, keys, "there are more than 256 keys: remove old ones"));
  }
  std::vector<FoundKey> found;
  for (const auto& [name, value] : *keys) {
    const std::string id(name.str());
    if (!is_payload_key_id(id)) {
      return tl::unexpected(mistake(path, &value,
                                    "the id of a key must consist of 1 to 48 characters of A-Z a-z "
                                    "0-9 . _ - and begin with a letter or digit"));
    }
    const auto* const bytes = secrets.find(value.value_exact<std::string>().value_or(""));
    if (bytes == nullptr) {
      return tl::unexpected(
          mistake(path, &value, "the key '" + id + "' must be a string of 64 hexadecimal digits"));
    }
    found.push_back({id, bytes});
  }
  std::sort(found.begin(), found.end(),
            [](const FoundKey& a, const FoundKey& b) { return a.id < b.id; });
  return found;
}

// Only its date is for people. The random part keeps the keys of two files apart: of the same id
// they would take each other's jobs for damaged ones.
std::string new_id() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm day{};
  ::gmtime_r(&now, &day);
  std::array<char, 16> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%d-", &day);
  std::array<unsigned char, 4> random{};
  randombytes_buf(random.data(), random.size());
  std::array<char, 2 * random.size() + 1> hex{};
  sodium_bin2hex(hex.data(), hex.size(), random.data(), random.size());
  return std::string(date.data()) + hex.data();
}

void add_line(std::string* text, const std::string& id, const unsigned char* key) {
  std::array<char, digits_of_key + 1> hex{};
  sodium_bin2hex(hex.data(), hex.size(), key, payload_key_bytes);
  text->append("\"").append(id).append("\" = \"").append(hex.data(), digits_of_key).append("\"\n");
  sodium_memzero(hex.data(), hex.size());
}

}  // namespace

bool sodium_ready() {
  static const bool ready = sodium_init() >= 0;
  return ready;
}

void SodiumFree::operator()(unsigned char* memory) const { sodium_free(memory); }

bool is_payload_key_id(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && text.size() <= id_bytes_max && plain(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&plain](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

Result<std::shared_ptr<const PayloadKeyTable>> PayloadKeyTable::read(const std::string& path) {
  if (!sodium_ready()) {
    return tl::unexpected(Error{ErrorCode::unavailable, "libsodium cannot be used here", {}});
  }
  auto text = wire::read_secret_file(wire::credential_path(path));
  if (!text) return tl::unexpected(text.error());
  const Cleared cleared(*text);
  const TakenSecrets secrets(*text);
  const auto table = parse_key_toml(*text, path, "a file of payload keys");
  if (!table) return tl::unexpected(table.error());
  const auto made = std::make_shared<PayloadKeyTable>();
  const auto found = keys_in(path, *table, secrets);
  if (!found) return tl::unexpected(found.error());
  made->secrets_.reset(
      static_cast<unsigned char*>(sodium_malloc(found->size() * payload_key_bytes)));
  if (!secrets.in_memory() || !made->secrets_) {
    return tl::unexpected(Error{ErrorCode::unavailable, "there is no memory for payload keys", {}});
  }
  for (const FoundKey& key : *found) {
    std::copy_n(key.bytes, payload_key_bytes,
                made->secrets_.get() + made->ids_.size() * payload_key_bytes);
    made->ids_.push_back(key.id);
  }
  sodium_mprotect_readonly(made->secrets_.get());
  made->current_ = (*table)["current"].value_exact<std::string>().value_or("");
  if (made->find(made->current_) == nullptr) {
    return tl::unexpected(mistake(path, table->get("current"),
                                  "current must be the id of one of the keys: producers encrypt "
                                  "with that key"));
  }
  return made;
}

const unsigned char* PayloadKeyTable::find(std::string_view id) const {
  const auto found = std::lower_bound(ids_.begin(), ids_.end(), id);
  if (found == ids_.end() || *found != id) return nullptr;
  return secrets_.get() + std::size_t(found - ids_.begin()) * payload_key_bytes;
}

Result<std::string> PayloadKeyTable::with_new_key(const PayloadKeyTable* earlier,
                                                  std::string* text) {
  if (!sodium_ready()) {
    return tl::unexpected(Error{ErrorCode::unavailable, "libsodium cannot be used here", {}});
  }
  if (earlier != nullptr && earlier->ids_.size() == keys_max) {
    return tl::unexpected(invalid("there are 256 keys already: remove old ones from the file"));
  }
  const std::string id = new_id();
  const std::size_t count = earlier == nullptr ? 1 : earlier->ids_.size() + 1;
  text->reserve(512 + count * (digits_of_key + id_bytes_max + 16));  // no copies left behind
  *text =
      "# Payload keys of Millrace, secret: for its producers and workers, and never for the "
      "broker.\n# Producers encrypt with the current key; remove another when no job of it is "
      "left.\ncurrent = \"" +
      id + "\"\n\n[keys]\n";
  for (std::size_t i = 0; i + 1 < count; ++i) {
    add_line(text, earlier->ids_[i], earlier->secrets_.get() + i * payload_key_bytes);
  }
  std::array<unsigned char, payload_key_bytes> key{};
  crypto_aead_xchacha20poly1305_ietf_keygen(key.data());
  add_line(text, id, key.data());
  sodium_memzero(key.data(), key.size());
  return id;
}

}  // namespace millrace
