// The file of payload keys: what is refused and with which words, and that the keys leave the
// memory of the process again.
#include "child.h"
#include "payload_keys_folder.h"

#include <gtest/gtest.h>
#include <millrace/encryption.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <vector>

namespace millrace::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool memory_is_ours = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
constexpr bool memory_is_ours = false;
#else
constexpr bool memory_is_ours = true;
#endif
#else
constexpr bool memory_is_ours = true;
#endif

class PayloadKeysFile : public PayloadKeysFolder {
 protected:
  void write(const std::string& text) const {
    std::ofstream(file("k")) << text;
    ::chmod(file("k").c_str(), 0600);
  }
  [[nodiscard]] std::string refusal() const {
    const auto read = PayloadKeys::read(file("k"));
    EXPECT_FALSE(read);
    if (read) return {};
    EXPECT_EQ(read.error().code, ErrorCode::invalid);
    return read.error().message;
  }
};

TEST_F(PayloadKeysFile, OfANewFileHasOneKeyThatNobodyElseCanRead) {
  const auto id = PayloadKeys::create(file("k"));
  ASSERT_TRUE(id) << id.error().message;
  struct stat about {};
  ASSERT_EQ(::stat(file("k").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  const auto read = keys("k");
  EXPECT_EQ(read.current(), *id);
  EXPECT_EQ(read.ids(), std::vector<std::string>{*id});
  const auto again = PayloadKeys::create(file("k"));
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("exists already"), std::string::npos);
  EXPECT_EQ(keys("k").current(), *id);
}

TEST_F(PayloadKeysFile, ARotationAddsAKeyAndKeepsTheOthersAsTheyAre) {
  const std::string first = keys("k").current();
  const std::string before = text_of_file(file("k"));
  const std::string line = before.substr(before.rfind('\n', before.size() - 2));
  for (std::size_t count = 2; count <= 4; ++count) {
    const auto id = PayloadKeys::rotate(file("k"));
    ASSERT_TRUE(id) << id.error().message;
    EXPECT_EQ(keys("k").current(), *id);
    EXPECT_EQ(keys("k").ids().size(), count);
    EXPECT_NE(text_of_file(file("k")).find(line), std::string::npos);
  }
  struct stat about {};
  ASSERT_EQ(::stat(file("k").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  const auto missing = PayloadKeys::rotate(file("missing"));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("cannot be read"), std::string::npos);
}

TEST_F(PayloadKeysFile, RotationsAtTheSameTimeLoseNoKey) {
  (void)keys("k");
  constexpr std::size_t rotations = 8;
  std::vector<pid_t> children;
  for (std::size_t i = 0; i < rotations; ++i) {
    children.push_back(forked([this] { return PayloadKeys::rotate(file("k")).has_value(); }));
  }
  for (const pid_t child : children) EXPECT_EQ(end_of(child), 0);
  EXPECT_EQ(keys("k").ids().size(), rotations + 1);
}

TEST_F(PayloadKeysFile, AMistakeIsNamedWithItsPlaceAndWithoutAKey) {
  const std::string key(64, 'c'), line = "\"a\" = \"" + key + "\"\n";
  const auto says = [this](const std::string& text, const std::string& words) {
    write(text);
    const std::string said = refusal();
    EXPECT_NE(said.find(words), std::string::npos) << said;
    EXPECT_NE(said.find(file("k")), std::string::npos) << said;
    EXPECT_EQ(said.find("ccccc"), std::string::npos) << said;
  };
  says("", "[keys] is missing or empty");
  says("current = \"a\"\n[keys]\n", "[keys] is missing or empty");
  says("keys = 5\ncurrent = \"a\"\n", ":1: the table [keys]");
  says("current = \"a\"\n[keys]\n" + line + "\"a\" = \n", ":4: is not a file of payload keys");
  says("current = \"a\"\n[keys]\n" + line + line, "is not a file of payload keys");
  says("current = \"a\"\n[keys]\n\"a\" = \"" + key + "c\"\n", ":3: the key 'a' must be a string");
  says("current = \"a\"\n[keys]\n\"a\" = \"" + key.substr(1) + "\"\n", ":3: the key 'a' must be");
  says("current = \"a\"\n[keys]\n\"a\" = 5\n", ":3: the key 'a' must be");
  says("current = \"a\"\n[keys]\n\"a b\" = \"" + key + "\"\n", ":3: the id of a key must");
  says("current = \"a\"\n[keys]\n\"" + key + "\" = \"" + key + "\"\n", ":3: the id of a key must");
  says("current = \"b\"\n[keys]\n" + line, ":1: current must be the id of one of the keys");
  says("[keys]\n" + line, "current must be the id of one of the keys");
  std::string many = "current = \"k0\"\n[keys]\n";
  for (int i = 0; i < 257; ++i) many += "k" + std::to_string(i) + " = \"" + key + "\"\n";
  says(many, "more than 256 keys");
  write("current = \"a\"\n[keys]\n" + line);
  EXPECT_EQ(keys("k").current(), "a");
}

TEST_F(PayloadKeysFile, ThatOthersCanReadIsRefused) {
  (void)keys("k");
  ::chmod(file("k").c_str(), 0640);
  EXPECT_NE(refusal().find("run chmod 600"), std::string::npos);
  const auto rotated = PayloadKeys::rotate(file("k"));
  EXPECT_FALSE(rotated);
}

TEST_F(PayloadKeysFile, ComesFromTheEnvironmentWhereNoPathIsGiven) {
  (void)keys("k");
  ::unsetenv("MILLRACE_PAYLOAD_KEYS");
  EXPECT_TRUE(PayloadKeys::read_or_default("").value().empty());
  ::setenv("MILLRACE_PAYLOAD_KEYS", file("k").c_str(), 1);
  EXPECT_EQ(PayloadKeys::read_or_default("").value().current(), keys("k").current());
  EXPECT_FALSE(PayloadKeys::read_or_default(file("missing")));
  ::setenv("MILLRACE_PAYLOAD_KEYS", "", 1);
  EXPECT_TRUE(PayloadKeys::read_or_default("").value().empty());
  ::unsetenv("MILLRACE_PAYLOAD_KEYS");
}

// Pieces of keys that this process itself never has in memory as they are.
class Inverted {
 public:
  // A child reads the file, so that no buffer of this process does.
  explicit Inverted(const std::string& path) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    const pid_t child = forked([&] {
      const std::string text = text_of_file(path);
      std::string told;
      for (std::size_t at = text.find("= \"", text.find("[keys]")); at != std::string::npos;
           at = text.find("= \"", at + 1)) {
        const std::string digits = text.substr(at + 3, 16);
        for (const char c : digits) told += static_cast<char>(~c);
        for (std::size_t i = 0; i < digits.size(); i += 2) {
          told += static_cast<char>(~std::stoi(digits.substr(i, 2), nullptr, 16));
        }
      }
      return ::write(ends[1], told.data(), told.size()) == static_cast<ssize_t>(told.size());
    });
    EXPECT_EQ(end_of(child), 0);
    std::array<char, 24> both{};  // the first digits of a key, and its first bytes
    ::close(ends[1]);
    while (::read(ends[0], both.data(), both.size()) == static_cast<ssize_t>(both.size())) {
      pieces_.emplace_back(both.begin(), both.begin() + 16);
      pieces_.emplace_back(both.begin() + 16, both.end());
    }
    ::close(ends[0]);
  }
  [[nodiscard]] std::size_t count() const { return pieces_.size(); }
  // How many of them are in memory that can be written.
  [[nodiscard]] std::size_t found_in_memory() const {
    std::ifstream maps("/proc/self/maps");
    const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    std::size_t found = 0;
    for (const std::string& piece : pieces_) {
      maps.clear();
      maps.seekg(0);
      bool here = false;
      for (std::string line; !here && std::getline(maps, line);) here = has(memory, line, piece);
      found += here ? 1 : 0;
    }
    ::close(memory);
    return found;
  }

 private:
  static bool has(int memory, const std::string& line, const std::string& piece) {
    const std::size_t blank = line.find(' ');
    if (line[blank + 1] != 'r' || line.find("[v") != std::string::npos) return false;
    if (line.find('/') != std::string::npos && line[blank + 2] != 'w') return false;
    const auto begin = std::stoull(line, nullptr, 16);
    const auto end = std::stoull(line.substr(line.find('-') + 1), nullptr, 16);
    std::vector<char> bytes(end - begin);
    const auto size = ::pread(memory, bytes.data(), bytes.size(), static_cast<off_t>(begin));
    if (size <= 0) return false;
    const auto last = bytes.begin() + size;
    return std::search(bytes.begin(), last, piece.begin(), piece.end(),
                       [](char byte, char inverted) {
                         return byte == static_cast<char>(~inverted);
                       }) != last;
  }
  std::vector<std::string> pieces_;
};

// Each step is searched for before the next could overwrite what it left.
TEST_F(PayloadKeysFile, KeysLeaveTheMemoryWithTheLastCopy) {
  if (!memory_is_ours) GTEST_SKIP() << "a sanitizer keeps memory that was freed";
  ASSERT_TRUE(PayloadKeys::create(file("k")));
  EXPECT_EQ(Inverted(file("k")).found_in_memory(), 0U);
  ASSERT_TRUE(PayloadKeys::rotate(file("k")));
  const Inverted pieces(file("k"));
  ASSERT_EQ(pieces.count(), 4U);
  EXPECT_EQ(pieces.found_in_memory(), 0U);
  PayloadKeys copy;
  {
    const auto read = PayloadKeys::read(file("k"));
    copy = read.value();
  }
  EXPECT_EQ(pieces.found_in_memory(), 2U);  // the bytes of both: so the search finds them
  copy = {};
  EXPECT_EQ(pieces.found_in_memory(), 0U);
}

}  // namespace
}  // namespace millrace::testing
