// The public payload keys: which file they come from, and how it is written.
#include <millrace/encryption.h>

#include "options.h"
#include "payload_key_table.h"
#include "wire/secret_file.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace millrace {
namespace {

constexpr const char* keys_variable = "MILLRACE_PAYLOAD_KEYS";

}  // namespace

const PayloadKeyTable* table_of(const PayloadKeys& keys) { return keys.table_.get(); }

Result<PayloadKeys> PayloadKeys::read(const std::string& path) {
  auto table = PayloadKeyTable::read(path);
  if (!table) return tl::unexpected(table.error());
  PayloadKeys keys;
  keys.table_ = std::move(*table);
  return keys;
}

Result<PayloadKeys> PayloadKeys::read_or_default(const std::string& path) {
  if (!path.empty()) return read(path);
  const char* const named = std::getenv(keys_variable);
  if (named == nullptr || *named == '\0') return PayloadKeys{};
  return read(named);
}

Result<std::string> PayloadKeys::create(const std::string& path) {
  std::string text;
  auto id = PayloadKeyTable::with_new_key(nullptr, &text);
  if (!id) return id;
  const auto written = wire::write_new_secret_file(path, text);
  sodium_memzero(text.data(), text.size());
  if (!written) return tl::unexpected(written.error());
  return id;
}

Result<std::string> PayloadKeys::rotate(const std::string& path) {
  // Of two rotations at the same time, one would remove the key that the other has just added.
  const auto folder = std::filesystem::absolute(path).parent_path();
  const wire::FileDescriptor lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.get() < 0 || ::flock(lock.get(), LOCK_EX) != 0) {
    return tl::unexpected(
        invalid("cannot lock the folder " + folder.string() + ": " + std::strerror(errno)));
  }
  const auto earlier = PayloadKeyTable::read(path);
  if (!earlier) return tl::unexpected(earlier.error());
  std::string text;
  auto id = PayloadKeyTable::with_new_key(earlier->get(), &text);
  if (!id) return id;
  const auto written = wire::replace_file(path, text, S_IRUSR | S_IWUSR);
  sodium_memzero(text.data(), text.size());
  if (!written) return tl::unexpected(written.error());
  return id;
}

std::string PayloadKeys::current() const { return empty() ? std::string() : table_->current(); }
std::vector<std::string> PayloadKeys::ids() const {
  return empty() ? std::vector<std::string>() : table_->ids();
}

}  // namespace millrace
