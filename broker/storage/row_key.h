// A job's place in the file as one number (migrations/0001_start.sql).
#pragma once

#include <cstdint>

namespace millrace::storage {

using Slot = std::uint32_t;  // local number of a topic's partition

inline constexpr unsigned seq_bits = 39;
inline constexpr unsigned priority_bits = 4;
inline constexpr unsigned slot_shift = seq_bits + priority_bits;
inline constexpr std::int64_t seq_mask = (std::int64_t{1} << seq_bits) - 1;
inline constexpr Slot slot_max = (1U << 20U) - 1;

struct RowKey {
  Slot slot = 0;
  std::uint8_t priority = 0;
  std::uint64_t seq = 0;

  [[nodiscard]] std::int64_t encode() const {
    return static_cast<std::int64_t>(slot) << slot_shift |
           static_cast<std::int64_t>(priority) << seq_bits |
           (static_cast<std::int64_t>(seq) & seq_mask);
  }
  [[nodiscard]] static RowKey decode(std::int64_t id) {
    return {static_cast<Slot>(id >> slot_shift),
            static_cast<std::uint8_t>(id >> seq_bits & ((1 << priority_bits) - 1)),
            static_cast<std::uint64_t>(id & seq_mask)};
  }
};

}  // namespace millrace::storage
