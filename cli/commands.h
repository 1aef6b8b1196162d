// The commands: each takes what was typed, prints, and returns its exit code.
#pragma once

#include "options.h"

#include <millrace/client.h>

namespace millrace::cli {

[[nodiscard]] ConnectionOptions connection_of(const Options& options);
// The ids that were typed; exits with 64 at the first that is none.
[[nodiscard]] std::vector<JobId> ids_of(const Options& options);

[[nodiscard]] int enqueue(const Options& options);

[[nodiscard]] int topics(const Options& options, Client& client);
[[nodiscard]] int jobs(const Options& options, Client& client);
[[nodiscard]] int job(const Options& options, Client& client);
[[nodiscard]] int explain(const Options& options, Client& client);
[[nodiscard]] int wait(const Options& options, Client& client);
[[nodiscard]] int status(const Options& options, Client& client);
[[nodiscard]] int sessions(const Options& options, Client& client);
[[nodiscard]] int top(const Options& options, Client& client);

[[nodiscard]] int create(const Options& options, Client& client);
[[nodiscard]] int pause(const Options& options, Client& client);
[[nodiscard]] int resume(const Options& options, Client& client);
[[nodiscard]] int cancel(const Options& options, Client& client);
[[nodiscard]] int dead_list(const Options& options, Client& client);
[[nodiscard]] int dead_requeue(const Options& options, Client& client);
[[nodiscard]] int dead_purge(const Options& options, Client& client);

[[nodiscard]] int backup(const Options& options, Client& client);
// These two run millraced in this process's place: files are its own room.
[[nodiscard]] int verify(const Options& options);
[[nodiscard]] int restore(const Options& options);

[[nodiscard]] int completion(const Options& options);

}  // namespace millrace::cli
