// Log lines of programs: with a priority where systemd's journal reads standard error.
#include <gtest/gtest.h>
#include <millrace/log_line.h>
#include <millrace/producer.h>

#include <sys/stat.h>
#include <unistd.h>
#include <cstdlib>
#include <string>

namespace millrace::testing {
namespace {

// What JOURNAL_STREAM would say if standard error went to the journal.
std::string this_stream() {
  struct stat file {};
  fstat(STDERR_FILENO, &file);
  return std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino);
}

class LogLine : public ::testing::Test {
 protected:
  void TearDown() override { unsetenv("JOURNAL_STREAM"); }
};

TEST_F(LogLine, HasItsPriorityInTheJournal) {
  ::testing::internal::CaptureStderr();
  setenv("JOURNAL_STREAM", this_stream().c_str(), 1);
  write_log_line(LogLevel::error, "shop", "it broke");
  write_log_line(LogLevel::warning, "shop", "it may break");
  write_log_line(LogLevel::info, "shop", "it works");
  write_log_line(LogLevel::debug, "shop", "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "<3>shop: it broke\n<4>shop: it may break\n<6>shop: it works\n<7>shop: \n");
}

TEST_F(LogLine, IsPlainElsewhere) {
  ::testing::internal::CaptureStderr();
  unsetenv("JOURNAL_STREAM");
  write_log_line(LogLevel::error, "shop", "it broke");
  setenv("JOURNAL_STREAM", "1:2", 1);  // of a parent, whose standard error was another file
  write_log_line(LogLevel::warning, "shop", "it may break");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "shop: it broke\nshop: it may break\n");
}

TEST_F(LogLine, FitsTheLogOfAConnection) {
  ::testing::internal::CaptureStderr();
  ProducerOptions options{.connection = {.brokers = {"nowhere"}}};
  options.connection.log = [](LogLevel level, std::string_view text) {
    write_log_line(level, "shop", text);
  };
  { const Producer producer(options); }
  const std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(told.starts_with("shop: ")) << told;
}

}  // namespace
}  // namespace millrace::testing
