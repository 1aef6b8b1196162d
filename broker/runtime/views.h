// Rows as people see them: what storage has, with what runs now laid over it.
#pragma once

#include "core/engine.h"
#include "storage/store.h"
#include "wire/messages.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::runtime {

// A time as the wire has it, which knows no negative ones.
[[nodiscard]] constexpr std::uint64_t unsigned_ms(std::int64_t ms) {
  return ms < 0 ? 0 : static_cast<std::uint64_t>(ms);
}

[[nodiscard]] std::string job_body(const storage::JobRow& row, const core::Engine& engine,
                                   core::Now now);
[[nodiscard]] std::string jobs_body(const std::vector<storage::JobRow>& rows, bool more,
                                    const core::Engine& engine, core::Now now);
[[nodiscard]] std::string explain_body(const storage::JobRow& row, const core::Engine& engine,
                                       core::Now now);

}  // namespace millrace::runtime
