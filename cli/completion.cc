// Completion scripts: commands, and topics as the broker knows them.
#include "commands.h"
#include "output.h"

namespace millrace::cli {
namespace {

constexpr const char* words =
    "enqueue topics jobs job explain wait top status sessions create pause resume cancel dead "
    "backup verify restore completion";

constexpr const char* bash = R"script(_millrace() {
  local here="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" known=""
  case "$before" in
    millrace) known="WORDS" ;;
    dead) known="list show requeue purge" ;;
    completion) known="bash zsh fish" ;;
    verify|restore|--data-dir) COMPREPLY=($(compgen -f -- "$here")); return ;;
    --state) known="scheduled available running retryable completed cancelled dead" ;;
    enqueue|topics|pause|resume|--topic)
      known="$(millrace topics --timeout 1s 2>/dev/null | awk 'NR > 1 {print $1}')" ;;
    *) known="--json --broker --timeout --help" ;;
  esac
  COMPREPLY=($(compgen -W "$known" -- "$here"))
}
complete -F _millrace millrace
)script";

// Both as a file that zsh loads by its first line, and by source <(millrace completion zsh).
constexpr const char* zsh = R"script(#compdef millrace
_millrace() {
  local before="${words[CURRENT-1]}" all="WORDS"
  local -a known
  case "$before" in
    millrace) known=(${=all}) ;;
    dead) known=(list show requeue purge) ;;
    completion) known=(bash zsh fish) ;;
    verify|restore|--data-dir) _files; return ;;
    --state) known=(scheduled available running retryable completed cancelled dead) ;;
    enqueue|topics|pause|resume|--topic)
      known=(${(f)"$(millrace topics --timeout 1s 2>/dev/null | awk 'NR > 1 {print $1}')"}) ;;
    *) known=(--json --broker --timeout --help) ;;
  esac
  compadd -a known
}
if [ "${funcstack[1]}" = _millrace ]; then _millrace "$@"; else compdef _millrace millrace; fi
)script";

constexpr const char* fish = R"script(complete -c millrace -f -n __fish_use_subcommand -a "WORDS"
complete -c millrace -f -n "__fish_seen_subcommand_from dead" -a "list show requeue purge"
complete -c millrace -f -n "__fish_seen_subcommand_from enqueue topics pause resume" \
  -a "(millrace topics --timeout 1s 2>/dev/null | awk 'NR > 1 {print \$1}')"
complete -c millrace -F -n "__fish_seen_subcommand_from verify restore"
complete -c millrace -l json -d "JSON output"
complete -c millrace -l broker -r -d "where millraced listens"
)script";

std::string with_words(std::string script) {
  const std::string mark = "WORDS\"";
  script.replace(script.find(mark), mark.size(), std::string(words) + "\"");
  return script;
}

}  // namespace

int completion(const Options& options) {
  const auto* script = options.topic == "fish" ? fish : options.topic == "zsh" ? zsh : bash;
  print(with_words(script));
  return exit_ok;
}

}  // namespace millrace::cli
