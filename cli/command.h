// What a command of the CLI consists of: its name, arguments, options, help, examples and function.
// Each file of commands has one table of them. Parsing, --help and completion are made from these
// tables, so a new command is one entry in the table of its file.
#pragma once

#include "options.h"

#include <millrace/client.h>

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace millrace::cli {

// Puts a value that was typed into the options. Empty, or a sentence that says why it cannot.
using Store = std::function<std::string(Options& options, const std::string& value)>;

struct Argument {
  enum class Count { one, optional, several, any };  // several: at least one; any: also none
  std::string_view name;                             // TOPIC, ID, PATH: completion goes by it
  std::string_view help;
  Count count;
  Store store;
};

struct Option {
  std::string_view name;   // "--limit"
  std::string_view value;  // N, DURATION, FILE: completion goes by it; empty: takes no value
  std::string_view help;
  Store store;
  bool required = false, repeats = false;
};

using Local = int (*)(const Options&);            // makes its own connection, or needs none
using Remote = int (*)(const Options&, Client&);  // asks a broker

struct Command {
  std::string_view name;  // "jobs", "dead list"
  std::string_view help;
  std::vector<Argument> arguments{};
  std::vector<Option> options{};
  std::string_view examples{};
  std::variant<std::monostate, Local, Remote> run{};  // monostate: a group of commands, "dead"
  // Empty, or a sentence: options that cannot be used together.
  std::string (*contradiction)(const Options&) = nullptr;
  bool decrypts = false;  // its Client needs the payload keys
};

[[nodiscard]] Argument topic_argument(std::string_view help,
                                      Argument::Count count = Argument::Count::one);
[[nodiscard]] Argument id_argument(Argument::Count count);
// Words that are kept as they were typed.
[[nodiscard]] Argument words_argument(std::string_view name, std::string_view help,
                                      Argument::Count count);
[[nodiscard]] Argument text_argument(std::string_view name, std::string_view help,
                                     std::string Options::*to,
                                     Argument::Count count = Argument::Count::one);

[[nodiscard]] Option flag(std::string_view name, bool Options::*to, std::string_view help);

template <typename Text>  // std::string, or one that is optional
[[nodiscard]] Option text_option(std::string_view name, std::string_view value, Text Options::*to,
                                 std::string_view help) {
  return {name, value, help, [to](Options& options, const std::string& text) {
            options.*to = text;
            return std::string{};
          }};
}

// Empty and *to set, or a sentence.
[[nodiscard]] std::string read_number(std::string_view option, const std::string& text, int least,
                                      int most, int* to);
[[nodiscard]] std::string read_duration(std::string_view option, const std::string& text,
                                        std::chrono::milliseconds* to);

template <typename Number>  // an integer, or one that is optional
[[nodiscard]] Option number_option(std::string_view name, Number Options::*to, int least, int most,
                                   std::string_view help) {
  return {name, "N", help, [=](Options& options, const std::string& text) {
            int number = 0;
            std::string wrong = read_number(name, text, least, most, &number);
            if (wrong.empty()) options.*to = static_cast<Number>(number);
            return wrong;
          }};
}

template <typename Duration>  // std::chrono::milliseconds, or one that is optional
[[nodiscard]] Option duration_option(std::string_view name, Duration Options::*to,
                                     std::string_view help) {
  return {name, "DURATION", help, [=](Options& options, const std::string& text) {
            std::chrono::milliseconds duration{};
            std::string wrong = read_duration(name, text, &duration);
            if (wrong.empty()) options.*to = duration;
            return wrong;
          }};
}

[[nodiscard]] Option time_option(std::string_view name,
                                 std::optional<std::chrono::system_clock::time_point> Options::*to,
                                 std::string_view help);

}  // namespace millrace::cli
