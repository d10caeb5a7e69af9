#include "histogram.hpp"

#include <algorithm>
#include <stdexcept>

#include "cell_counts.hpp"
#include "color_hash.hpp"
#include "merge.hpp"
#include "parallel.hpp"

namespace chromapress {
namespace {

// The opaque colours, and the few others.
struct Counts {
  CellCounts opaque;
  ColorHash<std::int64_t> others;
};

void count_rgb(std::span<const std::uint8_t> rgb, Counts& counts) {
  for_each_place(rgb, [&counts](std::uint32_t place, std::size_t) { counts.opaque.add(place); });
}

void count_rgba(std::span<const std::uint8_t> rgba, Counts& counts) {
  std::int64_t transparent = 0;
  for (std::size_t i = 0; i < rgba.size(); i += 4) {
    const Rgba c{rgba[i], rgba[i + 1], rgba[i + 2], rgba[i + 3]};
    if (c.a == 255) {
      counts.opaque.add(place_of(c.r, c.g, c.b));
    } else if (c.a == 0) {
      ++transparent;
    } else {
      ++counts.others(key_of(c));
    }
  }
  if (transparent > 0) counts.others(0) += transparent;
}

Histogram sorted(const ColorHash<std::int64_t>& counts) {
  std::vector<std::pair<std::uint32_t, std::int64_t>> entries;
  entries.reserve(counts.size());
  counts.for_each([&](std::uint32_t key, std::int64_t count) { entries.emplace_back(key, count); });
  std::sort(entries.begin(), entries.end());
  Histogram result;
  for (const auto& [key, count] : entries) {
    result.colors.push_back(from_key(key));
    result.counts.push_back(count);
  }
  return result;
}

}  // namespace

Histogram histogram(const Pixels& pixels, std::size_t threads) {
  threads = std::clamp<std::size_t>(pixels.size() / kPixelsPerThread, 1, thread_count(threads));
  std::vector<Counts> counts(threads);
  in_parallel(threads, threads, [&](std::size_t t) {
    const std::size_t begin = pixels.size() * t / threads, end = pixels.size() * (t + 1) / threads;
    const auto part = pixels.data.subspan(pixels.channels * begin, pixels.channels * (end - begin));
    pixels.channels == 3 ? count_rgb(part, counts[t]) : count_rgba(part, counts[t]);
  });
  for (std::size_t t = 1; t < threads; ++t) {
    counts[0].opaque.add(counts[t].opaque);
    counts[t].others.for_each([&](std::uint32_t key, std::int64_t count) { counts[0].others(key) += count; });
  }
  if (counts[0].others.size() == 0) return counts[0].opaque.histogram();
  const Histogram opaque = counts[0].opaque.histogram(), others = sorted(counts[0].others);
  const std::array<HistogramView, 2> both = {HistogramView{opaque.colors, opaque.counts},
                                             HistogramView{others.colors, others.counts}};
  return merge(both);
}

void validate(const HistogramView& view) {
  constexpr std::int64_t kMaxPixels = std::int64_t{1} << 48;
  if (view.colors.size() != view.counts.size()) throw std::invalid_argument("colors and counts differ in length");
  std::int64_t total = 0;
  for (std::size_t i = 0; i < view.colors.size(); ++i) {
    const Rgba c = view.colors[i];
    if (i > 0 && key_of(view.colors[i - 1]) >= key_of(c)) {
      throw std::invalid_argument("colors must be distinct and in lexicographic order");
    }
    if (c.a == 0 && key_of(c) != 0) throw std::invalid_argument("a fully transparent color must be (0, 0, 0, 0)");
    if (view.counts[i] < 1 || view.counts[i] > kMaxPixels - total) {
      throw std::invalid_argument("counts must be at least 1 and their sum at most 2^48");
    }
    total += view.counts[i];
  }
}

}  // namespace chromapress
