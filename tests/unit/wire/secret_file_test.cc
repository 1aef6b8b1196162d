// Which files are taken for a secret: by their modes, and as credentials of systemd.
#include "wire/secret_file.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace millrace::wire {
namespace {

class SecretFile : public ::testing::Test {
 protected:
  SecretFile() {
    std::string name = "/tmp/mr-secret-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    ::unsetenv("CREDENTIALS_DIRECTORY");
  }
  ~SecretFile() override {
    ::unsetenv("CREDENTIALS_DIRECTORY");
    std::filesystem::remove_all(folder_);
  }
  void write(mode_t mode) {
    std::ofstream(path()) << "secret";
    ASSERT_EQ(::chmod(path().c_str(), mode), 0);
  }
  [[nodiscard]] std::string path() const { return folder_ + "/a.key"; }
  void is_credentials_folder() { ::setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1); }

  std::string folder_;
};

TEST_F(SecretFile, IsReadIfNobodyElseHasAccess) {
  write(0600);
  const auto text = read_secret_file(path());
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "secret");
}

TEST_F(SecretFile, IsRefusedIfTheGroupHasAccess) {
  write(0640);
  const auto text = read_secret_file(path());
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().message, path() +
                                      " holds a secret and other users can access it: run chmod "
                                      "600 on it");
}

// As systemd leaves them for the user of a unit on a file system with access lists.
TEST_F(SecretFile, OfSystemdMayShowReadAccessOfTheGroup) {
  write(0440);
  EXPECT_FALSE(read_secret_file(path()));
  is_credentials_folder();
  EXPECT_TRUE(read_secret_file(credential_path("$CREDENTIALS_DIRECTORY/a.key")));
}

TEST_F(SecretFile, OfSystemdIsRefusedIfOthersHaveAccess) {
  is_credentials_folder();
  write(0444);
  EXPECT_FALSE(read_secret_file(credential_path("$CREDENTIALS_DIRECTORY/a.key")));
  write(0460);
  EXPECT_FALSE(read_secret_file(credential_path("$CREDENTIALS_DIRECTORY/a.key")));
}

TEST_F(SecretFile, NamesTheVariableThatIsNotSet) {
  const auto text = read_secret_file(credential_path("$CREDENTIALS_DIRECTORY/a.key"));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().message,
            "$CREDENTIALS_DIRECTORY/a.key cannot be read: CREDENTIALS_DIRECTORY is not set here. "
            "systemd sets it for a unit with LoadCredential=; elsewhere set it to the folder of "
            "the file");
}

}  // namespace
}  // namespace millrace::wire
