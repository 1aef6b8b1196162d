#include "versions.h"

namespace millrace {
namespace {

// Tables are STRICT (https://sqlite.org/releaselog/3_37_0.html), and the views of a file call
// unixepoch() (https://sqlite.org/releaselog/3_38_0.html). This also excludes 3.35.0 to 3.37.1,
// which can corrupt a file whose connection has temp_store=MEMORY, as ours has, when a savepoint is
// rolled back (https://sqlite.org/releaselog/3_37_2.html).
//
// Not refused, although it loses data in other programs: the WAL-reset bug of 3.7.0 to 3.51.2,
// without 3.44.6 and 3.50.7 (https://sqlite.org/wal.html#walresetbug). It needs two connections
// that write or checkpoint one file at the same moment, and here one connection does both: readers
// and backups are read-only, and flock() keeps other brokers out (storage/sqlite_store.h). Debian
// 12 has 3.40.1.
constexpr LibraryVersion sqlite_min{.major = 3, .minor = 38, .patch = 0};

// Before 4.3.3 a client without a key can keep a listener with CURVE from receiving any message
// (CVE-2020-15166, GHSA-25wp-cf8g-938m) and write past a buffer of a listener without CURVE
// (CVE-2021-20235, GHSA-fc3w-qxf5-7hp6); before 4.3.2 it can overwrite the stack of a listener with
// CURVE (CVE-2019-13132). The file NEWS of libzmq describes them, and the advisories are at
// https://github.com/zeromq/libzmq/security/advisories. A distribution may have repaired an older
// version without changing its number; Debian 12, which the packages are for, has 4.3.4.
constexpr LibraryVersion zmq_min{.major = 4, .minor = 3, .patch = 3};

}  // namespace

LibraryVersion sqlite_version_of(int number) {
  return {.major = number / 1'000'000, .minor = number / 1'000 % 1'000, .patch = number % 1'000};
}

std::string to_string(const LibraryVersion& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.patch);
}

std::vector<std::string> wrong_with_libraries(const LibraryVersion& sqlite,
                                              const LibraryVersion& zmq) {
  std::vector<std::string> wrong;
  if (sqlite < sqlite_min) {
    wrong.push_back(
        "the loaded SQLite is version " + to_string(sqlite) +
        ": the broker's database files need functions of 3.38.0, and versions before it "
        "can damage them: install " +
        to_string(sqlite_min) + " or newer (package libsqlite3-0)");
  }
  if (zmq < zmq_min) {
    wrong.push_back("the loaded libzmq is version " + to_string(zmq) +
                    ": before 4.3.3 a client without a key can interrupt the broker's service or "
                    "overwrite its memory (CVE-2020-15166, CVE-2021-20235): install " +
                    to_string(zmq_min) + " or newer (package libzmq5)");
  }
  return wrong;
}

}  // namespace millrace
