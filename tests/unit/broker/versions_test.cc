// Which versions of SQLite and libzmq the broker refuses to start with.
#include "versions.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace {
namespace {

constexpr LibraryVersion sqlite_of_debian_12{.major = 3, .minor = 40, .patch = 1};
constexpr LibraryVersion zmq_of_debian_12{.major = 4, .minor = 3, .patch = 4};

TEST(Versions, OfSqliteAreReadFromItsNumber) {
  EXPECT_EQ(to_string(sqlite_version_of(3'040'001)), "3.40.1");
  EXPECT_EQ(to_string(sqlite_version_of(3'051'003)), "3.51.3");
  EXPECT_EQ(to_string(sqlite_version_of(4'000'000)), "4.0.0");
  EXPECT_EQ(sqlite_version_of(3'040'001), sqlite_of_debian_12);
}

TEST(Versions, OfSqliteThatAreRefused) {
  struct Row {
    LibraryVersion version;
    bool refused;
    const char* why;
  };
  for (const Row& row : {
           Row{{3, 7, 0}, true, "no STRICT tables"},
           Row{{3, 34, 1}, true, "Debian 11: no STRICT tables"},
           Row{{3, 35, 0}, true, "the savepoint bug begins"},
           Row{{3, 37, 1}, true, "the savepoint bug ends"},
           Row{{3, 37, 2}, true, "no unixepoch()"},
           Row{{3, 38, 0}, false, "the first with all that is needed"},
           Row{{3, 40, 1}, false, "Debian 12: the WAL-reset bug needs a second writer"},
           Row{{3, 44, 6}, false, "the WAL-reset bug is repaired"},
           Row{{3, 51, 2}, false, "the last with the WAL-reset bug"},
           Row{{3, 51, 3}, false, "the WAL-reset bug is repaired"},
           Row{{4, 0, 0}, false, "a larger major version with smaller other numbers"},
           Row{{2, 99, 99}, true, "a smaller major version with larger other numbers"},
       }) {
    const auto wrong = wrong_with_libraries(row.version, zmq_of_debian_12);
    EXPECT_EQ(wrong.size(), row.refused ? 1 : 0) << to_string(row.version) << ": " << row.why;
    for (const auto& words : wrong) {
      EXPECT_NE(words.find("SQLite is version " + to_string(row.version)), std::string::npos);
      EXPECT_NE(words.find("install 3.38.0 or newer"), std::string::npos) << words;
    }
  }
}

TEST(Versions, OfLibzmqThatAreRefused) {
  struct Row {
    LibraryVersion version;
    bool refused;
    const char* why;
  };
  for (const Row& row : {
           Row{{3, 2, 5}, true, "no CURVE"},
           Row{{4, 2, 5}, true, "CVE-2019-13132"},
           Row{{4, 3, 1}, true, "CVE-2019-13132"},
           Row{{4, 3, 2}, true, "CVE-2021-20235, CVE-2020-15166"},
           Row{{4, 3, 3}, false, "they are repaired"},
           Row{{4, 3, 4}, false, "Debian 12"},
           Row{{4, 3, 5}, false, "Debian 13"},
           Row{{4, 4, 0}, false, "a larger minor version with a smaller patch"},
           Row{{5, 0, 0}, false, "a larger major version"},
       }) {
    const auto wrong = wrong_with_libraries(sqlite_of_debian_12, row.version);
    EXPECT_EQ(wrong.size(), row.refused ? 1 : 0) << to_string(row.version) << ": " << row.why;
    for (const auto& words : wrong) {
      EXPECT_NE(words.find("libzmq is version " + to_string(row.version)), std::string::npos);
      EXPECT_NE(words.find("install 4.3.3 or newer"), std::string::npos) << words;
    }
  }
}

TEST(Versions, EachLibraryThatIsRefusedIsNamed) {
  EXPECT_EQ(wrong_with_libraries({3, 34, 1}, {4, 3, 2}).size(), 2U);
}

}  // namespace
}  // namespace millrace
