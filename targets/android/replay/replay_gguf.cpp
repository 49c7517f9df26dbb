// Runs calls through language models with llama.cpp, on a phone or in an emulator of its processor. replay.h tells how
// it is started. Besides:
//
//   PROGRAM speeds RESULT LIBRARY THREADS CORES LIMIT CONTEXT FIRST PROMPT GENERATE REPEATS MODEL
//
// writes as JSON to RESULT how many seconds the first token takes after a prompt of FIRST tokens in a context of CONTEXT,
// and by llama-bench's method (exporters/gguf/speed.py describes it) how many tokens a second a prompt of PROMPT
// tokens goes in, and GENERATE tokens come out; REPEATS values each, after a warm-up. 0 leaves a test out.
//
// LIBRARY is the folder with llama.cpp's libraries of kernels, of which it takes the best that this processor can run.
// A call has "tokens" (int32 [n]), its answer "logits" (float32 [n, vocabulary]), from an empty cache.

#include "replay.h"

#include <ggml-backend.h>
#include <llama.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Model = std::unique_ptr<llama_model, decltype(&llama_model_free)>;
using Context = std::unique_ptr<llama_context, decltype(&llama_free)>;

constexpr int kSlice = 64;  // positions a call, as exporters/gguf/runner.py has them
constexpr int kBatch = 2048, kPass = 512;

// A context of `length` tokens; `batch` of them a call, `pass` at once, and logits of `outputs` positions a call.
Context context_of(llama_model* model, int threads, int length, int batch, int pass, int outputs) {
  auto settings = llama_context_default_params();
  settings.n_ctx = static_cast<uint32_t>(length);
  settings.n_batch = static_cast<uint32_t>(batch);
  settings.n_ubatch = static_cast<uint32_t>(pass);
  settings.n_outputs_max = static_cast<uint32_t>(outputs);
  settings.n_threads = settings.n_threads_batch = threads;
  settings.swa_full = false;
  Context context(llama_init_from_model(model, settings), llama_free);
  if (!context) throw std::runtime_error("llama.cpp could not make a context");
  return context;
}

// Computes `count` tokens from `position` on, and the logits of the last `outputs` of them.
void decode(llama_context* context, const int32_t* tokens, int count, int position, int outputs) {
  llama_batch batch = llama_batch_init(count, 0, 1);
  batch.n_tokens = count;
  for (int i = 0; i < count; ++i) {
    batch.token[i] = tokens[i];
    batch.pos[i] = position + i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = i >= count - outputs;
  }
  const int status = llama_decode(context, batch);
  llama_batch_free(batch);
  if (status) throw std::runtime_error("llama.cpp could not compute, status " + std::to_string(status));
}

calls::Tensor logits_of(llama_model* model, int threads, const calls::Tensor& tokens) {
  const int count = static_cast<int>(tokens.data.size() / sizeof(int32_t));
  const int size = llama_vocab_n_tokens(llama_model_get_vocab(model));
  const auto* ids = reinterpret_cast<const int32_t*>(tokens.data.data());
  if (tokens.type != calls::kInt32 || !count || *std::min_element(ids, ids + count) < 0 ||
      *std::max_element(ids, ids + count) >= size)
    throw std::runtime_error("the tokens are none of this model's");

  const Context context = context_of(model, threads, count, kSlice, kSlice, kSlice);
  calls::Tensor logits{"logits", calls::kFloat, {count, size}, {}};
  for (int begin = 0; begin < count; begin += kSlice) {
    const int slice = std::min(kSlice, count - begin);
    decode(context.get(), ids + begin, slice, begin, slice);
    const auto* values = reinterpret_cast<const char*>(llama_get_logits(context.get()));
    logits.data.insert(logits.data.end(), values, values + sizeof(float) * static_cast<size_t>(slice) * size);
  }
  return logits;
}

// The kernels that were taken, by the extensions of the processor that they use.
std::string kernels() {
  std::string text = "kernels for";
  for (size_t i = 0; i < ggml_backend_reg_count(); ++i) {
    const auto features = reinterpret_cast<ggml_backend_get_features_t>(
        ggml_backend_reg_get_proc_address(ggml_backend_reg_get(i), "ggml_backend_get_features"));
    if (!features) continue;
    for (const auto* feature = features(ggml_backend_reg_get(i)); feature->name; ++feature)
      if (!std::strcmp(feature->value, "1")) text += std::string(" ") + feature->name;
  }
  return text;
}

std::string complaint;  // the first line of the log that tells an error

void listen(ggml_log_level level, const char* text, void*) {
  if (level == GGML_LOG_LEVEL_ERROR && complaint.empty()) complaint = text;
}

class Part {
 public:
  static constexpr bool kRemembers = false;

  Part(const char* path, int threads)
      : model_(llama_model_load_from_file(path, llama_model_default_params()), llama_model_free), threads_(threads) {
    if (!model_) throw std::runtime_error("llama.cpp cannot load the model: " + complaint);
  }
  void run(const replay::Call& feeds) {
    if (feeds.size() != 1) throw std::runtime_error("a call has \"tokens\" and nothing else");
    last_ = logits_of(model_.get(), threads_, *feeds[0].tensor);
  }
  std::vector<calls::Tensor> answers() const { return {last_}; }
  llama_model* model() const { return model_.get(); }

 private:
  Model model_;
  int threads_;
  calls::Tensor last_;
};

class Runtime {
 public:
  Runtime(const char* kernels, int threads) : threads_(threads) {
    llama_log_set(listen, nullptr);
    ggml_backend_load_all_from_path(kernels);
    if (!ggml_backend_dev_count()) throw std::runtime_error("there are no kernels for this processor");
  }
  Part open(const char* model) const { return Part(model, threads_); }
  std::string version() const { return kernels(); }

 private:
  int threads_;
};

// Times of one model. The values of tokens do not matter to them, so they are random, as in llama-bench.
class Speeds {
 public:
  Speeds(llama_model* model, int threads) : model_(model), vocabulary_(llama_model_get_vocab(model)), threads_(threads) {}

  // Seconds from an empty cache, whose room is there, to the likeliest first token.
  std::vector<double> first(int length, int prompt, int repeats) {
    return values(std::min(length, llama_model_n_ctx_train(model_)), repeats, prompt, [&](llama_context* context) {
      const auto start = replay::Clock::now();
      read(context, prompt);
      const float* logits = llama_get_logits_ith(context, -1);
      volatile auto token = std::max_element(logits, logits + llama_vocab_n_tokens(vocabulary_)) - logits;
      (void)token;
      return replay::since(start);
    });
  }

  // Tokens a second that a prompt goes in.
  std::vector<double> prompt(int count, int repeats) {
    return values(count, repeats, count, [&](llama_context* context) {
      const auto start = replay::Clock::now();
      read(context, count);
      return count / replay::since(start);
    });
  }

  // Tokens a second that are generated, each by itself.
  std::vector<double> generate(int count, int repeats) {
    return values(count, repeats, 1, [&](llama_context* context) {
      const auto start = replay::Clock::now();
      int32_t token = begin();
      for (int i = 0; i < count; ++i) {
        decode(context, &token, 1, i, 1);
        llama_synchronize(context);
        token = any();
      }
      return count / replay::since(start);
    });
  }

 private:
  // What `take` gives for a cleared cache, again and again, in a context that has read `warmup` tokens before.
  template <class Take>
  std::vector<double> values(int length, int repeats, int warmup, Take take) {
    context_.reset();
    context_ = context_of(model_, threads_, length, kBatch, kPass, 1);
    read(context_.get(), warmup);
    std::vector<double> speeds;
    for (int i = 0; i < repeats; ++i) {
      llama_memory_clear(llama_get_memory(context_.get()), false);
      speeds.push_back(take(context_.get()));
    }
    return speeds;
  }

  void read(llama_context* context, int count) const {
    std::vector<int32_t> tokens(static_cast<size_t>(count));
    for (auto& token : tokens) token = any();
    tokens[0] = begin();
    for (int at = 0; at < count; at += kBatch) decode(context, tokens.data() + at, std::min(kBatch, count - at), at, 1);
    llama_synchronize(context);
  }

  int32_t any() const { return std::rand() % llama_vocab_n_tokens(vocabulary_); }
  int32_t begin() const { return llama_vocab_get_add_bos(vocabulary_) ? llama_vocab_bos(vocabulary_) : any(); }

  llama_model* model_;
  const llama_vocab* vocabulary_;
  int threads_;
  Context context_{nullptr, llama_free};  // the last context stays: memory is read with it
};

void speeds(char** arguments) {
  const int context = std::atoi(arguments[5]), first = std::atoi(arguments[6]), prompt = std::atoi(arguments[7]);
  const int generate = std::atoi(arguments[8]), repeats = std::atoi(arguments[9]);
  const replay::Opened<Runtime> opened(arguments + 1, arguments + 10, 1);
  Speeds speeds(opened.parts[0].model(), opened.threads);
  const auto start = first ? speeds.first(context, first, repeats) : std::vector<double>();
  const auto in = prompt ? speeds.prompt(prompt, repeats) : std::vector<double>();
  const auto out = generate ? speeds.generate(generate, repeats) : std::vector<double>();
  replay::tell(arguments[0], opened, 0, [&](std::ostream& result) {
    result << "\"speeds\": {\"first\": ";
    replay::put(result, start);
    result << ", \"prompt\": ";
    replay::put(result, in);
    result << ", \"generate\": ";
    replay::put(result, out);
    result << "}";
  });
}

}  // namespace

int main(int count, char** arguments) { return replay::main<Runtime>(count, arguments, {{"speeds", 11, speeds}}); }
