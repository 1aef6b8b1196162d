// Any values in the columns of rows: a file may have been written by another program. Input:
// columns, each a byte for its kind and its value.
#include "storage/packs.h"
#include "storage/row_key.h"
#include "storage/sqlite_handle.h"
#include "storage/sqlite_rows.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace millrace::storage;
constexpr int columns = 12;

// A statement that answers one row of the columns that the input describes.
void bind(Statement& row, const std::uint8_t* data, std::size_t size) {
  for (int column = 1; column <= columns; ++column) {
    if (size == 0) {
      row.bind_null(column);
      continue;
    }
    const std::uint8_t kind = *data;
    ++data;
    --size;
    if (kind < 0x40) {
      row.bind_null(column);
    } else if (kind < 0xa0) {
      std::uint64_t number = 0;
      for (int i = 0; i < 8 && size > 0; ++i, ++data, --size) number = number << 8U | *data;
      row.bind(column, static_cast<std::int64_t>(number));
    } else {
      const std::size_t length = std::min<std::size_t>(kind - 0xa0U, size);
      const std::string_view bytes(reinterpret_cast<const char*>(data), length);
      kind % 2 == 0 ? row.bind_text(column, bytes) : row.bind_bytes(column, bytes);
      data += length;
      size -= length;
    }
  }
}

void answers(std::string_view bytes) {
  const auto read = decode_answers(bytes);
  const std::string again = encode_answers(read);
  if (again != bytes.substr(0, again.size())) std::abort();
}

void key(std::int64_t id) {
  const RowKey decoded = RowKey::decode(id);
  if (id >= 0 && decoded.encode() != id) std::abort();
}

// The row of a pack: what is given out of it lies within it.
void pack(Statement& row) {
  PackJobs jobs(row, 0, std::numeric_limits<std::int64_t>::max());
  std::size_t count = 0;
  while (jobs.next()) {
    const auto job = jobs.job({1, 2}, true);
    if (job.payload.size() != jobs.payload_bytes() || ++count > pack_jobs_max) std::abort();
  }
  row.reset();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto database = Database::open(":memory:", false, nullptr);
  if (!database) std::abort();
  static Statement row(database->get(), "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12");
  bind(row, data, size);
  if (row.row()) {
    (void)read_job(row, {1, 2}, true);
    (void)read_topic(row);
    (void)row.id(0);
    key(row.number(0));
    answers(row.bytes(7));
  }
  row.reset();
  static Statement of_pack(database->get(),
                           "SELECT ?3, ?4, ?5, ?6, ?7, ?8, ?9, coalesce(?10, x'') "
                           "WHERE ?1 < ?2 OR ?11 IS NOT ?12 OR true");
  bind(of_pack, data, size);
  pack(of_pack);
  answers({reinterpret_cast<const char*>(data), size});
  return 0;
}
