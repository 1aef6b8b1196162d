// Validation of options, before anything is done with them.
#pragma once

#include <millrace/producer.h>
#include <millrace/worker.h>

#include <optional>
#include <string>

namespace millrace {

// An error with the code invalid.
[[nodiscard]] Error invalid(std::string what);

[[nodiscard]] std::optional<Error> misfit(const ProducerOptions& options);
[[nodiscard]] std::optional<Error> misfit(const WorkerOptions& options);
// With its brokers filled in; `from` names the environment variable they came from, or is empty.
[[nodiscard]] std::optional<Error> misfit(const ConnectionOptions& options,
                                          const std::string& from);

}  // namespace millrace
