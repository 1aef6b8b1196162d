// How the arguments and options of commands are read.
#include "command.h"

#include <millrace/times.h>

#include <charconv>

namespace millrace::cli {

Argument topic_argument(std::string_view help, Argument::Count count) {
  return text_argument("TOPIC", help, &Options::topic, count);
}

Argument id_argument(Argument::Count count) {
  return words_argument("ID", "id of a job, TOPIC/PARTITION/SEQ", count);
}

Argument words_argument(std::string_view name, std::string_view help, Argument::Count count) {
  return {name, help, count, [](Options& options, const std::string& word) {
            options.words.push_back(word);
            return std::string{};
          }};
}

Argument text_argument(std::string_view name, std::string_view help, std::string Options::*to,
                       Argument::Count count) {
  return {name, help, count, [=](Options& options, const std::string& text) {
            options.*to = text;
            return text.empty() ? std::string(name) + " must not be empty" : std::string{};
          }};
}

Option flag(std::string_view name, bool Options::*to, std::string_view help) {
  return {name, "", help, [to](Options& options, const std::string& /*value*/) {
            options.*to = true;
            return std::string{};
          }};
}

std::string read_number(std::string_view option, const std::string& text, int least, int most,
                        int* to) {
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, *to);
  if (read.ec == std::errc{} && read.ptr == end && *to >= least && *to <= most) return {};
  return std::string(option) + " takes a whole number from " + std::to_string(least) + " to " +
         std::to_string(most) + ", not '" + text + "'";
}

std::string read_duration(std::string_view option, const std::string& text,
                          std::chrono::milliseconds* to) {
  const auto duration = parse_duration(text);
  if (!duration) return std::string(option) + ": " + duration.error().message;
  *to = *duration;
  return {};
}

Option time_option(std::string_view name,
                   std::optional<std::chrono::system_clock::time_point> Options::*to,
                   std::string_view help) {
  return {name, "TIME", help, [=](Options& options, const std::string& text) {
            const auto time = parse_time(text).and_then(to_system_clock);
            if (!time) return std::string(name) + ": " + time.error().message;
            options.*to = *time;
            return std::string{};
          }};
}

}  // namespace millrace::cli
