// Completion scripts, generated from the tables of commands: names, options, and the kind of each
// argument.
#include "commands.h"
#include "output.h"

namespace millrace::cli {
namespace {

constexpr const char* topic_names =
    "$(millrace topics --timeout 1s 2>/dev/null | awk 'NR > 1 {print $1}')";

// What may be typed for an argument or value of this name: a list, or FILES.
std::string words_for(std::string_view kind) {
  if (kind == "TOPIC" || kind == "TOPIC-or-ID") return topic_names;
  if (kind == "STATE") return "scheduled available running retryable completed cancelled dead";
  if (kind == "SHELL") return "bash zsh fish";
  if (kind == "FILE" || kind == "FOLDER" || kind == "PATH" || kind == "BACKUP") return "FILES";
  return {};
}

std::string words_for_argument(const Command& command) {
  return command.arguments.empty() ? "" : words_for(command.arguments.front().name);
}

// The commands below one: "" has topics, dead, ...; "dead" has list, ...; most have none.
std::string commands_in(std::string_view group) {
  std::string list;
  for (const Command& command : all_commands()) {
    const auto blank = command.name.find(' ');
    const auto at = blank == std::string_view::npos ? "" : command.name.substr(0, blank);
    if (at != group) continue;
    list += (list.empty() ? "" : " ") + std::string(command.name.substr(blank + 1));
  }
  return list;
}

std::string names_of(const std::vector<Option>& options) {
  std::string list;
  for (const Option& option : options) list += " " + std::string(option.name);
  return list;
}

// One function for both shells: from the words typed before, the known ones into $known.
std::string known_function() {
  std::string valued, values, groups, positionals;
  const auto add_values = [&](const std::vector<Option>& options) {
    for (const Option& option : options) {
      const std::string name(option.name);
      if (option.value.empty() || ("|" + valued + "|").find("|" + name + "|") != std::string::npos)
        continue;
      valued += (valued.empty() ? "" : "|") + name;
      values += "    " + name + ") known=\"" + words_for(option.value) + "\"; return ;;\n";
    }
  };
  add_values(global_options());
  for (const Command& command : all_commands()) {
    add_values(command.options);
    const std::string name(command.name);
    const std::string below = commands_in(name);
    if (!below.empty()) {
      groups += "           " + name + ") command=\"" + name + " $word\" ;;\n";
    }
    positionals += "    \"" + name + "\") known=\"" +
                   (below.empty() ? words_for_argument(command) : below) + "\"; flags=\"" +
                   names_of(command.options) + "\" ;;\n";
  }
  return "_millrace_known() {\n"
         "  # $1: the word that is being typed; then those before it\n"
         "  local here=\"$1\" command=\"\" before=\"\" word flags=\"\"\n"
         "  shift\n"
         "  for word in \"$@\"; do\n"
         "    case \"$before\" in " +
         valued +
         ") before=\"\"; continue ;; esac\n"
         "    before=\"$word\"\n"
         "    case \"$word\" in\n"
         "      -*) ;;\n"
         "      *) case \"$command\" in\n"
         "           \"\") command=\"$word\" ;;\n" +
         groups +
         "         esac ;;\n"
         "    esac\n"
         "  done\n"
         "  known=\"\"\n"
         "  case \"$before\" in\n" +
         values +
         "  esac\n"
         "  case \"$command\" in\n"
         "    \"\") known=\"" +
         commands_in("") + "\" ;;\n" + positionals +
         "  esac\n"
         "  case \"$here\" in -*) known=\"$flags" +
         names_of(global_options()) +
         " --version --help\" ;; esac\n"
         "}\n";
}

std::string bash() {
  return known_function() + R"script(_millrace() {
  local known here="${COMP_WORDS[COMP_CWORD]}"
  _millrace_known "$here" "${COMP_WORDS[@]:1:COMP_CWORD-1}"
  if [ "$known" = FILES ]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$here")
  else
    mapfile -t COMPREPLY < <(compgen -W "$known" -- "$here")
  fi
}
complete -F _millrace millrace
)script";
}

std::string zsh() {
  return "#compdef millrace\n" + known_function() + R"script(_millrace() {
  local known
  _millrace_known "${words[CURRENT]}" "${(@)words[2,CURRENT-1]}"
  if [[ "$known" = FILES ]]; then
    _files
  else
    compadd -- ${=known}
  fi
}
if [ "${funcstack[1]}" = _millrace ]; then
  _millrace "$@"
else
  compdef _millrace millrace
fi
)script";
}

std::string fish_word(std::string text) {
  for (std::size_t at = 0; (at = text.find_first_of("'\\", at)) != std::string::npos; at += 2) {
    text.insert(at, "\\");
  }
  return "'" + text + "'";
}

std::string fish_options(const std::vector<Option>& options, const std::string& when) {
  std::string out;
  for (const Option& option : options) {
    const std::string words = words_for(option.value);
    out += "complete -c millrace" + when + " -l " + std::string(option.name.substr(2)) + " -d " +
           fish_word(std::string(option.help));
    if (!option.value.empty()) out += words == "FILES" ? " -rF" : " -x";
    if (!words.empty() && words != "FILES") out += " -a '" + words + "'";
    out += "\n";
  }
  return out;
}

std::string fish() {
  std::string out = R"script(function __millrace_at
  set -l words (commandline -opc)
  set -e words[1]
  set -l typed (string match -v -- '-*' $words)
  set -l wanted (string split ' ' -- $argv[1])
  test (count $typed) -ge (count $wanted); and test "$typed[1..$(count $wanted)]" = "$wanted"
end
complete -c millrace -f
)script";
  out += "complete -c millrace -n __fish_use_subcommand -a '" + commands_in("") + "'\n";
  out += fish_options(global_options(), "");
  out += "complete -c millrace -l version\ncomplete -c millrace -l help\n";
  for (const Command& command : all_commands()) {
    const std::string name(command.name);
    const std::string below = commands_in(name);
    const std::string alone = below.empty() ? "" : "; and not __fish_seen_subcommand_from " + below;
    const std::string when = " -n \"__millrace_at '" + name + "'" + alone + "\"";
    if (!below.empty()) out += "complete -c millrace" + when + " -a '" + below + "'\n";
    std::string words = words_for_argument(command);
    if (words == topic_names) {
      words = "(millrace topics --timeout 1s 2>/dev/null | awk \"NR > 1 {print \\$1}\")";
    }
    if (words == "FILES") {
      out += "complete -c millrace" + when + " -F\n";
    } else if (!words.empty()) {
      out += "complete -c millrace" + when + " -a '" + words + "'\n";
    }
    out += fish_options(command.options, when);
  }
  return out;
}

int completion(const Options& options) {
  print(options.topic == "fish" ? fish() : options.topic == "zsh" ? zsh() : bash());
  return exit_ok;
}

std::string store_shell(Options& options, const std::string& shell) {
  options.topic = shell;
  const bool known = shell == "bash" || shell == "zsh" || shell == "fish";
  return known ? "" : "unknown shell: expected bash, zsh or fish, not '" + shell + "'";
}

}  // namespace

std::vector<Command> completion_commands() {
  return {{.name = "completion",
           .help = "print a completion script for a shell",
           .arguments = {{"SHELL", "bash, zsh or fish", Argument::Count::one, store_shell}},
           .examples = "  source <(millrace completion bash)\n"
                       "  millrace completion zsh > _millrace\n"
                       "  millrace completion fish > millrace.fish\n",
           .run = completion}};
}

}  // namespace millrace::cli
