// Parses the command line by the tables of commands; the only file that includes CLI11.
#include "commands.h"
#include "suggestions.h"

#include <millrace/version.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>

namespace millrace::cli {
namespace {

constexpr const char* footer =
    R"(Arguments (a TOPIC, the ID of a job) come before options. An ID is TOPIC/PARTITION/SEQ.
-- ends the options: what follows are arguments, also a payload that begins with -.
A DURATION is a number with a unit: 500ms, 30s, 1h30m, 2d. A TIME has the format of RFC 3339:
2030-01-31T12:00:00Z, 2030-01-31T12:00:00.5+02:00.
millrace COMMAND --help shows the options of a command and examples.
Exit codes: 0 success, 1 the broker refused the request, 2 not found, 3 timeout or unknown outcome,
4 a job that was waited for ended dead or cancelled, 64 usage error, 69 the broker is unreachable.
Of verify and restore: 0 success, 1 damage found, 2 nothing of Millrace at that path, 3 the data
folder is in use or not empty, 71 millraced cannot be started, 74 I/O error.
Of audit: 0 success, 1 damage found, 2 no audit log in that folder, 74 its files cannot be read)";

// A word that is an argument whatever it begins with is handed to the parser behind this mark, and
// so is one that begins with the mark itself.
constexpr char argument_mark = '\x01';
std::string unmarked(const std::string& word) {
  return word.substr(word.starts_with(argument_mark) ? 1 : 0);
}

bool takes_value(const std::string& word) {
  const auto named = [&word](const Option& option) {
    return !option.value.empty() && option.name == word;
  };
  const auto has = [&named](const std::vector<Option>& options) {
    return std::any_of(options.begin(), options.end(), named);
  };
  const auto& commands = all_commands();
  return has(global_options()) ||
         std::any_of(commands.begin(), commands.end(),
                     [&has](const Command& command) { return has(command.options); });
}

// What was typed, for the parser: the first -- (that is no option's value) is left out, and what
// follows it is marked. The parser itself knows -- only where a command has arguments left to take.
std::vector<std::string> marked_words(int count, char** arguments) {
  std::vector<std::string> words;
  bool options_over = false, value = false;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    if (!options_over && !value && word == "--") {
      options_over = true;
      continue;
    }
    const bool looks_like_option = word.size() > 1 && word.starts_with('-');
    const bool marked = word.starts_with(argument_mark) || (options_over && looks_like_option);
    words.push_back(marked ? argument_mark + word : word);
    value = !value && takes_value(word);
  }
  return words;
}

// Gives what was typed to the store of an argument or option; a sentence of it ends the parsing.
CLI::callback_t storing(const Store& store, Options& options) {
  return [&store, &options](const CLI::results_t& values) {
    for (const auto& value : values) {
      const std::string wrong = store(options, unmarked(value));
      if (!wrong.empty()) throw CLI::ValidationError(wrong);
    }
    return true;
  };
}

void add(CLI::App& app, const Argument& argument, Options& options) {
  using Count = Argument::Count;
  CLI::Option* added =
      app.add_option(std::string(argument.name), storing(argument.store, options),
                     std::string(argument.help))
          ->type_name("")
          ->required(argument.count == Count::one || argument.count == Count::several);
  if (argument.count == Count::several || argument.count == Count::any) {
    added->expected(CLI::detail::expected_max_vector_size);
  }
}

void add(CLI::App& app, const Option& option, Options& options) {
  const std::string name(option.name), help(option.help);
  if (option.value.empty()) {
    app.add_flag_callback(
        name, [&option, &options] { (void)option.store(options, {}); }, help);
    return;
  }
  const auto store = storing(option.store, options);
  const auto once = [name, store](const CLI::results_t& values) {
    if (values.size() > 1) throw CLI::ValidationError(name + " is given more than once");
    return store(values);
  };
  app.add_option(name, option.repeats ? store : CLI::callback_t(once), help)
      ->type_name(std::string(option.value))
      ->expected(1)
      ->required(option.required)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

// The tables as a parser.
class Grammar {
 public:
  explicit Grammar(Options& options) {
    app.require_subcommand(1);
    app.fallthrough();
    for (const Option& option : global_options()) add(app, option, options);
    app.set_version_flag("--version", "millrace " MILLRACE_VERSION);
    app.footer(footer);
    for (const Command& command : all_commands()) add_command(command, options);
  }

  // The deepest command that was typed.
  CLI::App* typed() {
    CLI::App* at = &app;
    while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
    return at;
  }
  const Command* typed_command() { return commands_.at(typed()); }

  CLI::App app{"Command line client of the Millrace job broker: enqueue, inspect and manage jobs.",
               "millrace"};

 private:
  void add_command(const Command& command, Options& options) {
    const auto blank = command.name.find(' ');
    CLI::App* group = &app;
    if (blank != std::string_view::npos) {
      group = app.get_subcommand(std::string(command.name.substr(0, blank)));
    }
    CLI::App* sub = group->add_subcommand(std::string(command.name.substr(blank + 1)),
                                          std::string(command.help));
    commands_[sub] = &command;
    if (std::holds_alternative<std::monostate>(command.run)) {
      sub->require_subcommand(1);
      sub->fallthrough();
      return;
    }
    for (const Argument& argument : command.arguments) add(*sub, argument, options);
    for (const Option& option : command.options) add(*sub, option, options);
    sub->footer("Examples:\n" + std::string(command.examples));
  }

  std::map<const CLI::App*, const Command*> commands_;
};

std::vector<std::string> flags_of(const CLI::App* app) {
  std::vector<std::string> all;
  for (; app != nullptr; app = app->get_parent()) {
    for (const auto* option : app->get_options()) {
      for (const auto& name : option->get_lnames()) all.push_back("--" + name);
    }
  }
  return all;
}

std::vector<std::string> commands_of(const CLI::App* app) {
  std::vector<std::string> all;
  for (const auto* sub : app->get_subcommands({})) all.push_back(sub->get_name());
  return all;
}

std::string full_name(const CLI::App* app) {
  const CLI::App* parent = app->get_parent();
  return parent == nullptr ? app->get_name() : full_name(parent) + " " + app->get_name();
}

std::string unexpected(CLI::App* at, const std::string& word) {
  if (word.starts_with("--topic")) {
    return "--topic is not an option: the topic comes after the command, as in 'millrace jobs "
           "TOPIC'";
  }
  if (word.starts_with("-")) {
    const std::string name = word.substr(0, word.find('='));
    return "unknown option '" + word + "'" + suggestion(name, flags_of(at)) +
           (word.starts_with("--") ? "" : " (put -- before an argument that begins with -)");
  }
  const auto commands = commands_of(at);
  if (commands.empty()) return "unexpected argument '" + unmarked(word) + "'";
  return "unknown command '" + unmarked(word) + "'" + suggestion(word, commands);
}

// In a sentence of ours, what the parser found wrong.
std::string sentence_of(Grammar& grammar, const CLI::ParseError& e) {
  CLI::App* at = grammar.typed();
  const auto left = grammar.app.remaining(true);
  const std::string kind = e.get_name();
  if (e.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    // Of a command's own extras only the sentence knows: "... not expected: WORD".
    const std::string all = e.what();
    const std::string word = all.substr(std::min(all.find(": "), all.size() - 2) + 2);
    return unexpected(at, left.empty() ? word.substr(0, word.find(' ')) : left.front());
  }
  if (kind == "RequiredError" && !left.empty()) return unexpected(at, left.front());
  if (kind == "RequiredError" && !commands_of(at).empty()) return "a command is missing";
  if (kind == "ArgumentMismatch") {
    const std::string what = e.what();
    return what.substr(0, what.find(':')) + " needs a value";
  }
  std::string what = e.what();
  if (kind == "RequiredError" && what.ends_with(" is required")) {
    what.replace(what.size() - std::string_view("required").size(), std::string::npos, "missing");
  }
  return what;
}

}  // namespace

Typed read_options(int count, char** arguments) {
  Options options;
  Grammar grammar(options);
  std::string wrong;
  try {
    auto words = marked_words(count, arguments);
    std::reverse(words.begin(), words.end());  // as this parser wants them
    grammar.app.parse(std::move(words));
    const Command* command = grammar.typed_command();
    if (command->contradiction != nullptr) wrong = command->contradiction(options);
    if (wrong.empty()) return {command, std::move(options)};
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) std::exit(grammar.app.exit(e));
    wrong = sentence_of(grammar, e);
  }
  std::fprintf(stderr, "millrace: %s\nsee %s --help\n", wrong.c_str(),
               full_name(grammar.typed()).c_str());
  std::exit(exit_usage);
}

}  // namespace millrace::cli
