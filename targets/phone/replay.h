// What every program that replays calls has in common, whatever the runtime: two ways of being started.
//
//   PROGRAM LIBRARY MODEL THREADS CALLS ANSWERS            the answers to the calls of one part, and a line of JSON
//   PROGRAM timed RESULT LIBRARY THREADS CORES WARMUPS ROUNDS SECONDS LIMIT (MODEL CALLS)...
//                                                          times of all calls of all parts, as JSON in the file RESULT
//
// A runtime is a class with a constructor (library, threads), `version()`, and `open(model)`, which gives a part with
// `run(feeds)` (the answers stay in the runtime) and `answers()` (of the last run).
//
// CORES is "-" or a list such as 4,5,6,7. ROUNDS is the largest number of rounds over all calls, SECONDS what they may
// take together (three are made in any case), LIMIT seconds after which the system kills the program.
// Exit status: 0, or 2 with the reason on standard error.

#ifndef EDGEKIT_PHONE_REPLAY_H
#define EDGEKIT_PHONE_REPLAY_H

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "calls.h"

namespace replay {

using Call = std::vector<calls::Tensor>;
using Clock = std::chrono::steady_clock;

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

inline std::vector<Call> read_calls(const char* path) {
  std::ifstream in(path, std::ios::binary);
  if (calls::number<uint32_t>(in) != calls::kMagic) throw std::runtime_error("this is no file of calls");
  std::vector<Call> found(calls::count(in, calls::kMostTensors));
  for (auto& call : found) call = calls::read(in);
  return found;
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
void round(std::vector<Part>& parts, std::vector<std::vector<Call>>& asked, Times& times) {
  const auto start = Clock::now();
  for (size_t i = 0; i < parts.size(); ++i)
    for (auto& call : asked[i]) {
      const auto before = Clock::now();
      parts[i].run(call);
      times.parts[i].push_back(since(before));
    }
  times.whole.push_back(since(start));
}

template <class Runtime>
void timed(char** arguments, int pairs) {
  const auto start = Clock::now();
  const int threads = std::atoi(arguments[2]);
  const int warmups = std::atoi(arguments[4]), rounds = std::atoi(arguments[5]);
  const double seconds = std::atof(arguments[6]);
  alarm(static_cast<unsigned>(std::atoi(arguments[7])));
  pin(arguments[3]);
  Runtime runtime(arguments[1], threads);
  const double library = since(start);
  using Part = decltype(runtime.open(""));
  std::vector<Part> parts;
  std::vector<double> loads;
  for (int i = 0; i < pairs; ++i) {
    const auto before = Clock::now();
    parts.push_back(runtime.open(arguments[8 + 2 * i]));
    loads.push_back(since(before));
  }
  const double loaded = since(start);
  std::vector<std::vector<Call>> asked;
  uint64_t inputs = 0;
  size_t calls_in_round = 0;
  for (int i = 0; i < pairs; ++i) {
    asked.push_back(read_calls(arguments[9 + 2 * i]));
    calls_in_round += asked.back().size();
    for (const auto& call : asked.back())
      for (const auto& tensor : call) inputs += tensor.data.size();
  }
  Times first, rest;
  first.parts.resize(parts.size());
  rest.parts.resize(parts.size());
  for (int i = 0; i < warmups; ++i) round(parts, asked, first);
  const auto begin = Clock::now();
  for (int i = 0; i < rounds; ++i) {
    if (i >= kLeastRounds && (since(begin) > seconds || (i + 1) * calls_in_round > kMostValues)) break;
    round(parts, asked, rest);
  }
  std::ofstream out(arguments[0]);
  out.precision(9);
  out << "{\"runtime\": \"" << runtime.version() << "\", \"threads\": " << threads << ", \"cores\": " << pinned()
      << ", \"load\": {\"library\": " << library << ", \"whole\": " << loaded << ", \"parts\": ";
  put(out, loads);
  out << "}, \"inputs\": " << inputs << ", \"peak\": " << status("VmHWM") << ", \"anonymous\": " << status("RssAnon")
      << ", \"file\": " << status("RssFile") << ", ";
  put(out, "warmups", first);
  out << ", ";
  put(out, "values", rest);
  out << ", \"end\": true}\n";
  out.close();
  if (!out) throw std::runtime_error("the result could not be written");
}

template <class Runtime>
void answers(char** arguments) {
  Runtime runtime(arguments[0], std::atoi(arguments[2]));
  auto part = runtime.open(arguments[1]);
  std::ifstream in(arguments[3], std::ios::binary);
  std::ofstream out(arguments[4], std::ios::binary);
  const auto asked = calls::begin(in, out);
  for (uint32_t call = 0; call < asked; ++call) {
    auto feeds = calls::read(in);
    part.run(feeds);
    calls::write(out, part.answers());
  }
  calls::end(in, out);
  calls::tell(runtime.version());
}

template <class Runtime>
int main(int count, char** arguments) {
  const bool times = count > 1 && !std::strcmp(arguments[1], "timed");
  if (times ? count < 12 || count % 2 : count != 6) {
    std::fprintf(stderr, "usage: see targets/phone/replay.h\n");
    return 2;
  }
  try {
    if (times)
      timed<Runtime>(arguments + 2, (count - 10) / 2);
    else
      answers<Runtime>(arguments + 1);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}

}  // namespace replay

#endif
