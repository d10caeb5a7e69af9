#include "histogram.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "cell_counts.hpp"
#include "color_hash.hpp"
#include "merge.hpp"
#include "parallel.hpp"

namespace chromapress {
namespace {

using Others = ColorHash<std::int64_t>;  // the few colours that are not opaque

void count_rgba(std::span<const std::uint8_t> rgba, CellCounts& opaque, Others& others) {
  std::int64_t transparent = 0;
  for (std::size_t i = 0; i < rgba.size(); i += 4) {
    const Rgba c{rgba[i], rgba[i + 1], rgba[i + 2], rgba[i + 3]};
    if (c.a == 255) {
      opaque.add(place_of(c.r, c.g, c.b));
    } else if (c.a == 0) {
      ++transparent;
    } else {
      ++others(key_of(c));
    }
  }
  if (transparent > 0) others(0) += transparent;
}

Histogram sorted(const Others& counts) {
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
  const std::size_t parts = std::max<std::size_t>(1, pixels.size() / kPixelsPerPart);
  threads = std::min(parts, thread_count(threads));
  Team team(threads);
  std::vector<CellCounts> opaque(threads);
  std::vector<Others> others(threads);
  Shares shares(parts, threads);
  team(threads, [&](std::size_t t) {
    shares(t, [&](std::size_t part) {
      const std::size_t begin = pixels.size() * part / parts, end = pixels.size() * (part + 1) / parts;
      const auto data = pixels.data.subspan(pixels.channels * begin, pixels.channels * (end - begin));
      pixels.channels == 3 ? opaque[t].add_all(data) : count_rgba(data, opaque[t], others[t]);
    });
  });
  for (std::size_t t = 1; t < threads; ++t) {
    others[t].for_each([&](std::uint32_t key, std::int64_t count) { others[0](key) += count; });
  }
  Histogram of_opaque = CellCounts::histogram(opaque, team);
  if (others[0].size() == 0) return of_opaque;
  const Histogram of_others = sorted(others[0]);
  const std::array<HistogramView, 2> both = {HistogramView{of_opaque.colors, of_opaque.counts},
                                             HistogramView{of_others.colors, of_others.counts}};
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
