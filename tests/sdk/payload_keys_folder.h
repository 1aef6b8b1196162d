// Files of payload keys in a new folder, for tests. Threads: one.
#pragma once

#include <gtest/gtest.h>
#include <millrace/encryption.h>

#include <stdlib.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace millrace::testing {

inline std::string text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class PayloadKeysFolder : public ::testing::Test {
 protected:
  PayloadKeysFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "millrace-keys-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  ~PayloadKeysFolder() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return folder + "/" + name; }
  // Of a file that is made if it is not there.
  [[nodiscard]] PayloadKeys keys(const std::string& name) const {
    if (!std::filesystem::exists(file(name))) {
      const auto made = PayloadKeys::create(file(name));
      EXPECT_TRUE(made) << made.error().message;
    }
    auto read = PayloadKeys::read(file(name));
    EXPECT_TRUE(read) << read.error().message;
    return read.value_or(PayloadKeys{});
  }

  std::string folder;
};

}  // namespace millrace::testing
