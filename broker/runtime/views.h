// Rows as people see them: what storage has, with what runs now laid over it.
#pragma once

#include "core/engine.h"
#include "storage/store.h"
#include "wire/messages.h"

#include <string>
#include <vector>

namespace millrace::runtime {

[[nodiscard]] std::string job_body(const storage::JobRow& row, const core::Engine& engine,
                                   core::Now now);
[[nodiscard]] std::string jobs_body(const std::vector<storage::JobRow>& rows, bool more,
                                    const core::Engine& engine, core::Now now);
[[nodiscard]] std::string explain_body(const storage::JobRow& row, const core::Engine& engine,
                                       core::Now now);

}  // namespace millrace::runtime
