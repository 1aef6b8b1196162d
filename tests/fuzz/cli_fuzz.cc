// Any line of `millrace enqueue --jsonl`: a job, or a sentence.
#include "job_line.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string line(reinterpret_cast<const char*>(data), size);
  millrace::cli::Options options;
  options.topic = "t";
  options.run_at = line.substr(0, line.find('{'));
  if (options.run_at.size() > 32 || options.run_at.find('\0') != std::string::npos) {
    options.run_at.clear();
  }
  (void)millrace::cli::job_of(options, {});
  options.run_at.clear();
  const auto job = millrace::cli::job_of_line(options, line);
  if (!job && job.error().message.empty()) std::abort();
  return 0;
}
