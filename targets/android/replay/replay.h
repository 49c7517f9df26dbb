// What every program that replays calls has in common, whatever the runtime: three ways of being started.
//
//   PROGRAM LIBRARY MODEL THREADS CALLS ANSWERS            the answers to the calls of one part, and a line of JSON
//   PROGRAM some LIBRARY MODEL THREADS ALL PART WHICH ANSWERS
//                                                          the same for the calls WHICH (0,1,7) of part number PART
//   PROGRAM timed RESULT LIBRARY THREADS CORES LIMIT ALL WARMUPS ROUNDS SECONDS MODEL...
//                                                          times of all calls of all parts, as JSON in the file RESULT
//
// A program may have ways of its own beside these. A runtime is a class with a constructor (library, threads), `version()`, and `open(model)`, which gives a part with
// `run(feeds)` (the answers stay in the runtime) and `answers()` (of the last run). A part that `kRemembers` keeps its
// state from run to run: what comes before the calls WHICH is run as well. They are in order.
//
// CALLS, ANSWERS and ALL have the forms of targets/common/calls.py. CORES is "-" or a list such as 4,5,6,7.
// ROUNDS is the largest number of rounds over all calls, SECONDS what they may take together (three are made in any
// case), LIMIT seconds after which the system kills the program.
// Exit status: 0, or 2 with the reason on standard error.

#ifndef EDGEKIT_PHONE_REPLAY_H
#define EDGEKIT_PHONE_REPLAY_H

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "calls.h"

namespace replay {

// An input; its values belong to somebody else.
struct Feed {
  std::string name;
  calls::Tensor* tensor;
};

using Call = std::vector<Feed>;
using Clock = std::chrono::steady_clock;

constexpr uint32_t kMagicAll = 0x41434b45;  // "EKCA"
constexpr uint32_t kMostPooled = 1000000;
constexpr int kLeastRounds = 3;
constexpr size_t kMostValues = 200000;  // of all parts; a report with more would be of no more use

inline double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Restricts this process, and the threads that it will start, to `cores`.
inline void pin(const std::string& cores) {
  if (cores == "-") return;
  cpu_set_t set;
  CPU_ZERO(&set);
  std::istringstream list(cores);
  for (std::string core; std::getline(list, core, ',');) CPU_SET(static_cast<size_t>(std::stoi(core)) % CPU_SETSIZE, &set);
  if (sched_setaffinity(0, sizeof set, &set)) throw std::runtime_error("the system refuses the cores " + cores);
}

// The cores that this process may use, as JSON.
inline std::string pinned() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set)) return "[]";
  std::string text;
  for (size_t core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &set)) text += (text.empty() ? "" : ", ") + std::to_string(core);
  return "[" + text + "]";
}

// A line "NAME:   123 kB" of /proc/self/status in bytes; 0 where there is none.
inline long status(const std::string& name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.rfind(name + ":", 0) == 0) return std::atol(line.c_str() + name.size() + 1) * 1024L;
  return 0;
}

// One line of JSON for who started the program: the runtime's version, and the peak of memory in bytes. Not getrusage,
// whose peak begins with that of the process which started this process.
inline void tell(const std::string& runtime) {
  std::printf("{\"runtime\": \"%s\", \"peak\": %ld}\n", runtime.c_str(), status("VmHWM"));
}

// All calls of all parts, and the values that they share: outputs of a part are mostly inputs of another.
struct All {
  std::vector<calls::Tensor> pool;
  std::vector<std::vector<Call>> parts;
  uint64_t bytes{};
};

inline All read_all(const char* path) {
  std::ifstream in(path, std::ios::binary);
  if (calls::number<uint32_t>(in) != kMagicAll) throw std::runtime_error("this is no file of all calls");
  All all;
  all.pool.resize(calls::count(in, kMostPooled));
  for (auto& tensor : all.pool) {
    tensor.type = calls::number<uint32_t>(in);
    tensor.shape.resize(calls::count(in, calls::kMostAxes));
    for (auto& axis : tensor.shape) axis = calls::number<int64_t>(in);
    calls::bytes(in, tensor.data, calls::number<uint64_t>(in));
    all.bytes += tensor.data.size();
  }
  all.parts.resize(calls::count(in, calls::kMostTensors));
  for (auto& part : all.parts) {
    part.resize(calls::count(in, kMostPooled));
    for (auto& call : part) {
      call.resize(calls::count(in, calls::kMostTensors));
      for (auto& feed : call) {
        std::vector<char> name;
        calls::bytes(in, name, calls::count(in, calls::kLongestName));
        feed.name.assign(name.begin(), name.end());
        feed.tensor = &all.pool.at(calls::number<uint32_t>(in));
      }
    }
  }
  return all;
}

// Seconds, by round for the whole and by call for each part.
struct Times {
  std::vector<double> whole;
  std::vector<std::vector<double>> parts;
};

inline void put(std::ostream& out, const std::vector<double>& values) {
  out << "[";
  for (size_t i = 0; i < values.size(); ++i) out << (i ? ", " : "") << values[i];
  out << "]";
}

inline void put(std::ostream& out, const char* name, const Times& times) {
  out << "\"" << name << "\": {\"whole\": ";
  put(out, times.whole);
  out << ", \"parts\": [";
  for (size_t i = 0; i < times.parts.size(); ++i) {
    if (i) out << ", ";
    put(out, times.parts[i]);
  }
  out << "]}";
}

template <class Part>
void round(std::vector<Part>& parts, const std::vector<std::vector<Call>>& asked, Times& times) {
  const auto start = Clock::now();
  for (size_t i = 0; i < parts.size(); ++i)
    for (const auto& call : asked[i]) {
      const auto before = Clock::now();
      parts[i].run(call);
      times.parts[i].push_back(since(before));
    }
  times.whole.push_back(since(start));
}

// What every process that measures does first, by the arguments LIBRARY THREADS CORES LIMIT: its own limits, then the
// runtime and the parts, in seconds from the start.
template <class Runtime>
struct Opened {
  using Part = decltype(std::declval<Runtime>().open(""));

  Opened(char** arguments, char** models, int count)
      : start(begin(arguments)), threads(std::atoi(arguments[1])), runtime(arguments[0], threads), library(since(start)) {
    for (int i = 0; i < count; ++i) {
      const auto before = Clock::now();
      parts.push_back(runtime.open(models[i]));
      loads.push_back(since(before));
    }
    loaded = since(start);
  }

  static Clock::time_point begin(char** arguments) {
    const auto start = Clock::now();
    alarm(static_cast<unsigned>(std::atoi(arguments[3])));
    pin(arguments[2]);
    return start;
  }

  Clock::time_point start;
  int threads;
  Runtime runtime;
  double library, loaded{};
  std::vector<Part> parts;
  std::vector<double> loads;
};

// Writes the result: what every such process tells, and what `measured` writes of what it measured.
template <class Runtime, class Write>
void tell(const char* path, const Opened<Runtime>& opened, uint64_t inputs, Write measured) {
  std::ofstream out(path);
  out.precision(9);
  out << "{\"runtime\": \"" << opened.runtime.version() << "\", \"threads\": " << opened.threads
      << ", \"cores\": " << pinned() << ", \"load\": {\"library\": " << opened.library
      << ", \"whole\": " << opened.loaded << ", \"parts\": ";
  put(out, opened.loads);
  out << "}, \"inputs\": " << inputs << ", \"peak\": " << status("VmHWM") << ", \"anonymous\": " << status("RssAnon")
      << ", \"file\": " << status("RssFile") << ", ";
  measured(out);
  out << ", \"end\": true}\n";
  out.close();
  if (!out) throw std::runtime_error("the result could not be written");
}

template <class Runtime>
void timed(char** arguments, int models) {
  const int warmups = std::atoi(arguments[6]), rounds = std::atoi(arguments[7]);
  const double seconds = std::atof(arguments[8]);
  Opened<Runtime> opened(arguments + 1, arguments + 9, models);
  auto& parts = opened.parts;
  const All all = read_all(arguments[5]);
  if (all.parts.size() != parts.size()) throw std::runtime_error("the calls are those of another number of parts");
  size_t calls_in_round = 0;
  for (const auto& part : all.parts) calls_in_round += part.size();
  Times first, rest;
  first.parts.resize(parts.size());
  rest.parts.resize(parts.size());
  for (int i = 0; i < warmups; ++i) round(parts, all.parts, first);
  const auto begin = Clock::now();
  for (int i = 0; i < rounds; ++i) {
    if (i >= kLeastRounds && (since(begin) > seconds || (i + 1) * calls_in_round > kMostValues)) break;
    round(parts, all.parts, rest);
  }
  tell(arguments[0], opened, all.bytes, [&](std::ostream& out) {
    put(out, "warmups", first);
    out << ", ";
    put(out, "values", rest);
  });
}

template <class Runtime>
void answers(char** arguments) {
  Runtime runtime(arguments[0], std::atoi(arguments[2]));
  auto part = runtime.open(arguments[1]);
  std::ifstream in(arguments[3], std::ios::binary);
  std::ofstream out(arguments[4], std::ios::binary);
  const auto asked = calls::begin(in, out);
  for (uint32_t call = 0; call < asked; ++call) {
    auto tensors = calls::read(in);
    Call feeds;
    for (auto& tensor : tensors) feeds.push_back({tensor.name, &tensor});
    part.run(feeds);
    calls::write(out, part.answers());
  }
  calls::end(in, out);
  tell(runtime.version());
}

template <class Runtime>
void some(char** arguments) {
  Runtime runtime(arguments[0], std::atoi(arguments[2]));
  auto part = runtime.open(arguments[1]);
  const All all = read_all(arguments[3]);
  const auto& asked = all.parts.at(static_cast<size_t>(std::atoi(arguments[4])));
  std::ofstream out(arguments[6], std::ios::binary);
  const std::string which = arguments[5];
  calls::put(out, calls::kMagic);
  calls::put(out, static_cast<uint32_t>(1 + std::count(which.begin(), which.end(), ',')));
  std::istringstream list(which);
  size_t next = 0;
  for (std::string call; std::getline(list, call, ',');) {
    const auto wanted = static_cast<size_t>(std::stoi(call));
    for (; decltype(part)::kRemembers && next < wanted; ++next) part.run(asked.at(next));
    part.run(asked.at(wanted));
    next = wanted + 1;
    calls::write(out, part.answers());
  }
  out.close();
  if (!out) throw std::runtime_error("the answers could not be written");
  tell(runtime.version());
}

// A way of being started that only one program has: its name, how many arguments it takes, and what it does with them.
struct Way {
  const char* name;
  int count;
  void (*run)(char** arguments);
};

template <class Runtime>
int main(int count, char** arguments, const std::vector<Way>& more = {}) {
  const std::string way = count > 1 ? arguments[1] : "";
  try {
    for (const auto& other : more)
      if (way == other.name && count == 2 + other.count) return other.run(arguments + 2), 0;
    if (way == "timed" && count >= 12)
      return timed<Runtime>(arguments + 2, count - 11), 0;
    if (way == "some" && count == 9)
      return some<Runtime>(arguments + 2), 0;
    if (count == 6)
      return answers<Runtime>(arguments + 1), 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  std::fprintf(stderr, "usage: see targets/android/replay/replay.h\n");
  return 2;
}

}  // namespace replay

#endif
