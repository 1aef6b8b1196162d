// Completion scripts, made from the grammar itself: commands, options, and what a word may be.
#include "commands.h"
#include "output.h"

namespace millrace::cli {
namespace {

constexpr const char* topics =
    "$(millrace topics --timeout 1s 2>/dev/null | awk 'NR > 1 {print $1}')";

// What a word of such a kind may be, for a shell's case: a list, or a mark.
std::string words_for(const std::string& kind) {
  if (kind == "TOPIC" || kind == "TOPIC-or-ID") return topics;
  if (kind == "STATE") return "scheduled available running retryable completed cancelled dead";
  if (kind == "SHELL") return "bash zsh fish";
  if (kind == "FILE" || kind == "FOLDER" || kind == "PATH" || kind == "BACKUP") return "FILES";
  return {};
}

// The commands at a place: "" has topics, dead, ...; "dead" has list, ...
std::string commands_under(const std::vector<CommandWords>& all, const std::string& parent) {
  std::string list, last;
  for (const auto& command : all) {
    if (command.name.empty()) continue;
    const auto blank = command.name.find(' ');
    const std::string first = command.name.substr(0, blank);
    std::string word;
    if (parent.empty()) word = first;
    if (!parent.empty() && blank != std::string::npos && first == parent) {
      word = command.name.substr(blank + 1);
    }
    if (!word.empty() && word != last) list += (list.empty() ? "" : " ") + word;
    if (!word.empty()) last = word;
  }
  return list;
}

std::string flags_text(const CommandWords& command) {
  std::string list;
  for (const auto& flag : command.flags) list += " " + flag.name;
  return list;
}

// One function for both shells: from the words typed before, the known ones into $known.
std::string known_function(const std::vector<CommandWords>& all) {
  std::string valued, values, positionals, flags;
  for (const auto& command : all) {
    for (const auto& flag : command.flags) {
      if (flag.takes.empty()) continue;
      if (("|" + valued + "|").find("|" + flag.name + "|") == std::string::npos) {
        valued += (valued.empty() ? "" : "|") + flag.name;
        values += "    " + flag.name + ") known=\"" + words_for(flag.takes) + "\"; return ;;\n";
      }
    }
    if (command.name.empty()) continue;
    positionals += "    \"" + command.name + "\") known=\"" + words_for(command.takes) +
                   "\"; flags=\"" + flags_text(command) + "\" ;;\n";
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
         "           \"\") command=\"$word\" ;;\n"
         "           dead) command=\"dead $word\" ;;\n"
         "         esac ;;\n"
         "    esac\n"
         "  done\n"
         "  known=\"\"\n"
         "  case \"$before\" in\n" +
         values +
         "  esac\n"
         "  case \"$command\" in\n"
         "    \"\") known=\"" +
         commands_under(all, "") +
         "\" ;;\n"
         "    dead) known=\"" +
         commands_under(all, "dead") + "\" ;;\n" + positionals +
         "  esac\n"
         "  case \"$here\" in -*) known=\"$flags" +
         flags_text(all.front()) +
         " --help\" ;; esac\n"
         "}\n";
}

std::string bash(const std::vector<CommandWords>& all) {
  return known_function(all) + R"script(_millrace() {
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

std::string zsh(const std::vector<CommandWords>& all) {
  return "#compdef millrace\n" + known_function(all) + R"script(_millrace() {
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

std::string fish_options(const CommandWords& command, const std::string& when) {
  std::string out;
  for (const auto& flag : command.flags) {
    const std::string words = words_for(flag.takes);
    out += "complete -c millrace" + when + " -l " + flag.name.substr(2) + " -d " +
           fish_word(flag.help);
    if (!flag.takes.empty()) out += words == "FILES" ? " -rF" : " -x";
    if (!words.empty() && words != "FILES") out += " -a '" + words + "'";
    out += "\n";
  }
  return out;
}

std::string fish(const std::vector<CommandWords>& all) {
  std::string out = R"script(function __millrace_at
  set -l words (commandline -opc)
  set -e words[1]
  set -l typed (string match -v -- '-*' $words)
  set -l wanted (string split ' ' -- $argv[1])
  test (count $typed) -ge (count $wanted); and test "$typed[1..$(count $wanted)]" = "$wanted"
end
complete -c millrace -f
)script";
  out += "complete -c millrace -n __fish_use_subcommand -a '" + commands_under(all, "") + "'\n";
  out += "complete -c millrace -n '__millrace_at dead; and not __fish_seen_subcommand_from " +
         commands_under(all, "dead") + "' -a '" + commands_under(all, "dead") + "'\n";
  out += fish_options(all.front(), "");
  for (const auto& command : all) {
    if (command.name.empty()) continue;
    const std::string when = " -n \"__millrace_at '" + command.name + "'\"";
    std::string words = words_for(command.takes);
    if (words == topics)
      words = "(millrace topics --timeout 1s 2>/dev/null | awk \"NR > 1 {print \\$1}\")";
    if (words == "FILES") {
      out += "complete -c millrace" + when + " -F\n";
    } else if (!words.empty()) {
      out += "complete -c millrace" + when + " -a '" + words + "'\n";
    }
    out += fish_options(command, when);
  }
  return out;
}

}  // namespace

int completion(const Options& options) {
  const auto all = all_commands();
  print(options.topic == "fish" ? fish(all) : options.topic == "zsh" ? zsh(all) : bash(all));
  return exit_ok;
}

}  // namespace millrace::cli
