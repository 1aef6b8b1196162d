// The tables of commands, one for each file, and functions that several of these files use.
#pragma once

#include "command.h"

namespace millrace::cli {

// In the order in which --help shows them.
[[nodiscard]] std::vector<Command> enqueue_commands();
[[nodiscard]] std::vector<Command> look_commands();
[[nodiscard]] std::vector<Command> top_commands();
[[nodiscard]] std::vector<Command> completion_commands();
[[nodiscard]] std::vector<Command> manage_commands();
[[nodiscard]] std::vector<Command> backup_commands();
[[nodiscard]] std::vector<Command> key_commands();
[[nodiscard]] std::vector<Command> audit_commands();
[[nodiscard]] std::vector<Command> payload_key_commands();
// These run millraced in this process's place: it alone opens the broker's files.
[[nodiscard]] std::vector<Command> offline_commands();

[[nodiscard]] const std::vector<Command>& all_commands();
// Those that stand before or after any command, as --json.
[[nodiscard]] const std::vector<Option>& global_options();

[[nodiscard]] ConnectionOptions connection_of(const Options& options);
// The ids that were typed; exits with 64 at the first that is none.
[[nodiscard]] std::vector<JobId> ids_of(const Options& options);

[[nodiscard]] int jobs(const Options& options, Client& client);
[[nodiscard]] int job(const Options& options, Client& client);
// What "jobs" and "dead list" share, and "job" and "dead show".
[[nodiscard]] std::vector<Option> page_options();
[[nodiscard]] std::vector<Option> job_options();
[[nodiscard]] Option payload_keys_option();
[[nodiscard]] std::string job_contradiction(const Options& options);

}  // namespace millrace::cli
