#include "rdo.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <stdexcept>

#include "deflate.hpp"
#include "deflate_matches.hpp"
#include "deflate_parse.hpp"
#include "log2.hpp"
#include "map.hpp"
#include "palette_order.hpp"
#include "rdo_trellis.hpp"
#include "row_filter.hpp"

namespace chromapress {
namespace {

// How much an error counts: less in texture, which hides it. By the variance of the luma in 7x7 windows.
class Activity {
 public:
  explicit Activity(const Pixels& pixels)
      : pixels_(pixels), luma_(kRows * pixels.width), sums_(pixels.width + 1), squares_(pixels.width + 1) {
    std::vector<float> row(pixels.width);
    double total = 0;
    for (std::size_t y = 0; y < pixels.height; ++y) {
      calm(y, row);
      for (const float c : row) total += c;
    }
    scale_ = static_cast<double>(pixels.size()) / total;
  }

  // The weights of row y, whose mean over the image would be 1 if the largest and smallest were not clipped.
  void weights(std::size_t y, std::span<float> out) {
    static const double kExp = getenv("EXPO") ? atof(getenv("EXPO")) : 0.0;
    if (kExp == 0) { for (float& c : out) c = 1; return; }
    if (kExp != 1) { calm(y, out);
    for (float& c : out) c = static_cast<float>(std::pow(std::clamp(static_cast<double>(c) * scale_, 0.15, 6.0), kExp)); return; }
    calm(y, out);
    for (float& c : out) c = static_cast<float>(std::clamp(static_cast<double>(c) * scale_, 0.15, 6.0));
  }

 private:
  static constexpr std::size_t kReach = 3, kRows = 2 * kReach + 1;

  void calm(std::size_t y, std::span<float> out) {
    const std::size_t w = pixels_.width, top = y < kReach ? 0 : y - kReach;
    const std::size_t bottom = std::min(pixels_.height, y + kReach + 1);
    if (y == 0) known_ = 0;
    for (; known_ < bottom; ++known_) {
      for (std::size_t x = 0; x < w; ++x) {
        const Point p = premultiply(pixels_.at(known_ * w + x));
        luma_[known_ % kRows * w + x] = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
      }
    }
    for (std::size_t x = 0; x < w; ++x) {
      double sum = 0, square = 0;
      for (std::size_t row = top; row < bottom; ++row) {
        const double luma = luma_[row % kRows * w + x];
        sum += luma;
        square += luma * luma;
      }
      sums_[x + 1] = sums_[x] + sum;
      squares_[x + 1] = squares_[x] + square;
    }
    for (std::size_t x = 0; x < w; ++x) {
      const std::size_t left = x < kReach ? 0 : x - kReach, right = std::min(w, x + kReach + 1);
      const auto n = static_cast<double>((right - left) * (bottom - top));
      const double mean = (sums_[right] - sums_[left]) / n;
      const double variance = std::max(0.0, (squares_[right] - squares_[left]) / n - mean * mean);
      out[x] = static_cast<float>(1.0 / (2.0 * variance + 58.5));
    }
  }

  const Pixels& pixels_;
  std::vector<double> luma_;            // of the window's rows
  std::vector<double> sums_, squares_;  // of the columns to the left, over the window's rows
  std::size_t known_ = 0;
  double scale_ = 1;
};

std::vector<Rgba> moved(const Pixels& pixels, std::span<const std::uint8_t> indices, std::vector<Rgba> palette,
                        std::span<const bool> keeps) {
  std::vector<Point> sums(palette.size(), Point{});
  std::vector<double> counts(palette.size(), 0);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const Point p = premultiply(pixels.at(i));
    for (std::size_t d = 0; d < 4; ++d) sums[indices[i]][d] += p[d];
    counts[indices[i]] += 1;
  }
  for (std::size_t c = 0; c < palette.size(); ++c) {
    if (counts[c] == 0 || keeps[c]) continue;
    Point mean = sums[c];
    for (double& v : mean) v /= counts[c];
    const Rgba color = to_straight(mean);
    if (kind_of(color) == kind_of(palette[c])) palette[c] = color;
  }
  return palette;
}

}  // namespace

Shaped map_rate_distortion(const Pixels& pixels, std::span<const Rgba> palette, std::size_t fixed, double strength) {
  if (!(strength >= 0) || strength > 100) throw std::invalid_argument("rdo must be from 0 to 100");
  if (fixed > palette.size()) throw std::invalid_argument("there are fewer entries than are fixed");
  Shaped best = {{palette.begin(), palette.end()}, map_pixels(pixels, palette, ColorSpace::srgb, 0.0)};
  if (strength == 0) return best;
  const std::size_t n = palette.size(), w = pixels.width;
  const std::vector<std::uint8_t> order =
      palette_order(Neighbors(best.indices, w, n, 1), 0, std::min(4 * n * n, 8 * best.indices.size()));
  std::array<std::uint8_t, kMaxColors> position{};
  std::array<bool, kMaxColors> keeps{};
  for (std::size_t i = 0; i < n; ++i) {
    position[order[i]] = static_cast<std::uint8_t>(i);
    best.palette[i] = palette[order[i]];
    keeps[i] = order[i] < fixed || kind_of(best.palette[i]) == Kind::transparent;
  }
  for (std::uint8_t& i : best.indices) i = position[i];

  Activity activity(pixels);
  std::vector<float> weights(w);
  double error = 0;
  for (std::size_t i = 0; i < best.indices.size(); ++i) {
    if (i % w == 0) activity.weights(i / w, weights);
    error += static_cast<double>(weights[i % w]) *
             squared_distance(premultiply(pixels.at(i)), premultiply(best.palette[best.indices[i]]));
  }
  const double lambda = strength * error / static_cast<double>(best.indices.size());
  if (lambda == 0) return best;
  const auto rows_of = [&](Filtering f) { return filter_rows(best.indices, w, f); };
  Filtering filtering = Filtering::none;
  std::size_t least = SIZE_MAX;
  for (const Filtering f : {Filtering::none, Filtering::sub, Filtering::up, Filtering::average, Filtering::paeth, Filtering::least_sum, Filtering::least_entropy}) {
    static const int only = getenv("FILTER") ? atoi(getenv("FILTER")) : 3 + 64;
    if (!(only >> static_cast<int>(f) & 1)) continue;
    const std::size_t size = deflate(rows_of(f), 1).size();
    if (getenv("VERBOSE")) fprintf(stderr, "filter %d: %zu\n", (int)f, size);
    if (size < least) least = size, filtering = f;
  }
  static const int kPasses = getenv("PASSES") ? atoi(getenv("PASSES")) : 2;
  static const int kLimit = getenv("LIMIT") ? atoi(getenv("LIMIT")) : 12;
  for (int pass = 0; pass < kPasses; ++pass) {
    // The map before, from which bits' costs and matches are learned, and which is replaced row by row.
    const std::vector<std::uint8_t> before = rows_of(filtering);
    std::vector<std::uint8_t> rows = before;
    const std::vector<std::uint8_t> nearest = map_pixels(pixels, best.palette, ColorSpace::srgb, 0.0);
    const NearEntries entries(best.palette, static_cast<std::uint16_t>(kLimit * 64));
    Trellis trellis(w, rows);
    std::vector<Choices> choices(w);
    MatchFinder finder(before, 12);
    Matches matches;
    // Bands, so that memory is bounded and costs are local.
    constexpr std::size_t kBand = std::size_t{1} << 20;
    const std::size_t band = std::max<std::size_t>(1, kBand / (w + 1));
    for (std::size_t top = 0; top < pixels.height; top += band) {
      const std::size_t bottom = std::min(pixels.height, top + band), first = top * (w + 1);
      const std::size_t bytes = (bottom - top) * (w + 1), learned = std::min(bytes, kBand);
      finder.find(bytes, matches);
      std::vector<Token> tokens;
      parse(before, first, first + learned, matches, first, first_costs(std::span(before).subspan(first, learned)),
            tokens);
      CodeCounts counts;
      for (const Token& token : tokens) counts.add(token);
      const Costs costs = costs_of(counts);
      trellis.set_costs(costs);
      for (std::size_t y = top; y < bottom; ++y) {
        activity.weights(y, weights);
        for (std::size_t x = 0; x < w; ++x) {
          choices[x] = entries.of(pixels.at(y * w + x), nearest[y * w + x], weights[x] * 64.0 / lambda);
        }
        trellis.row(y, choices, matches, first, best.indices);
      }
    }
    best.palette = moved(pixels, best.indices, std::move(best.palette), keeps);
  }
  return best;
}

}  // namespace chromapress
