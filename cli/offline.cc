// The commands verify and restore: the file format belongs to the broker, so they execute millraced
// in place of this process.
#include "commands.h"
#include "output.h"

#include <unistd.h>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

namespace millrace::cli {
namespace {

// The one beside this program; else whichever the shell would find.
std::string program() {
  std::array<char, PATH_MAX> self{};
  const auto bytes = ::readlink("/proc/self/exe", self.data(), self.size() - 1);
  const std::string path(self.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  const std::string beside = path.substr(0, path.rfind('/') + 1) + "millraced";
  return ::access(beside.c_str(), X_OK) == 0 ? beside : "millraced";
}

int become(std::vector<std::string> words, const Options& options) {
  words.insert(words.begin(), program());
  if (options.json) words.emplace_back("--json");
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execvp(arguments.front(), arguments.data());
  std::fprintf(stderr, "millrace: cannot start %s (%s): is it installed?\n", words.front().c_str(),
               std::strerror(errno));
  return exit_no_program;
}

int verify(const Options& options) { return become({"--verify", options.path}, options); }

int restore(const Options& options) {
  std::vector<std::string> words{"--restore", options.path, "--data-dir", options.data_dir};
  if (options.replace) words.emplace_back("--replace");
  return become(std::move(words), options);
}

}  // namespace

std::vector<Command> offline_commands() {
  Option data_dir =
      text_option("--data-dir", "FOLDER", &Options::data_dir, "the data folder to restore into");
  data_dir.required = true;
  return {
      {.name = "verify",
       .help = "check a backup, a data folder or the file of a shard for damage",
       .arguments = {text_argument("PATH", "path of a backup, a data folder or the file of a shard",
                                   &Options::path)},
       .examples = "  millrace verify /var/lib/millrace-backup/before-upgrade\n",
       .run = verify},
      {.name = "restore",
       .help = "restore a backup into a data folder that no broker is using",
       .arguments = {text_argument("BACKUP", "path of the backup", &Options::path)},
       .options = {std::move(data_dir),
                   flag("--replace", &Options::replace,
                        "move the broker's files in the data folder aside first")},
       .examples = "  millrace restore /var/lib/millrace-backup/before-upgrade --data-dir "
                   "/var/lib/millrace --replace\n",
       .run = restore},
  };
}

}  // namespace millrace::cli
