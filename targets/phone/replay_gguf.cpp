// Runs calls through language models with llama.cpp, on a phone or in an emulator of its processor. replay.h tells how
// it is started.
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

constexpr int kSlice = 64;  // positions a call, as exporters/_llama_runner.py has them

void decode(llama_context* context, const int32_t* tokens, int begin, int end) {
  llama_batch batch = llama_batch_init(end - begin, 0, 1);
  batch.n_tokens = end - begin;
  for (int i = 0; i < batch.n_tokens; ++i) {
    batch.token[i] = tokens[begin + i];
    batch.pos[i] = begin + i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = true;
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

  auto settings = llama_context_default_params();
  settings.n_ctx = static_cast<uint32_t>(count);
  settings.n_batch = settings.n_ubatch = settings.n_outputs_max = kSlice;
  settings.n_threads = settings.n_threads_batch = threads;
  settings.swa_full = false;
  Context context(llama_init_from_model(model, settings), llama_free);
  if (!context) throw std::runtime_error("llama.cpp could not make a context");

  calls::Tensor logits{"logits", calls::kFloat, {count, size}, {}};
  for (int begin = 0; begin < count; begin += kSlice) {
    const int end = std::min(begin + kSlice, count);
    decode(context.get(), ids, begin, end);
    const auto* found = reinterpret_cast<const char*>(llama_get_logits(context.get()));
    logits.data.insert(logits.data.end(), found, found + sizeof(float) * static_cast<size_t>(end - begin) * size);
  }
  return logits;
}

// The kernels that were taken, by the extensions of the processor that they use.
std::string kernels() {
  std::string found = "kernels for";
  for (size_t i = 0; i < ggml_backend_reg_count(); ++i) {
    const auto features = reinterpret_cast<ggml_backend_get_features_t>(
        ggml_backend_reg_get_proc_address(ggml_backend_reg_get(i), "ggml_backend_get_features"));
    if (!features) continue;
    for (const auto* one = features(ggml_backend_reg_get(i)); one->name; ++one)
      if (!std::strcmp(one->value, "1")) found += std::string(" ") + one->name;
  }
  return found;
}

std::string complaint;  // the first line of the log that tells an error

void listen(ggml_log_level level, const char* text, void*) {
  if (level == GGML_LOG_LEVEL_ERROR && complaint.empty()) complaint = text;
}

class Part {
 public:
  Part(const char* path, int threads)
      : model_(llama_model_load_from_file(path, llama_model_default_params()), llama_model_free), threads_(threads) {
    if (!model_) throw std::runtime_error("llama.cpp cannot load the model: " + complaint);
  }
  void run(const replay::Call& feeds) {
    if (feeds.size() != 1) throw std::runtime_error("a call has \"tokens\" and nothing else");
    last_ = logits_of(model_.get(), threads_, *feeds[0].tensor);
  }
  std::vector<calls::Tensor> answers() const { return {last_}; }

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

}  // namespace

int main(int count, char** arguments) { return replay::main<Runtime>(count, arguments); }
