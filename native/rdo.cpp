#include "rdo.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "deflate.hpp"
#include "deflate_matches.hpp"
#include "deflate_parse.hpp"
#include "dispatch.hpp"
#include "log2.hpp"
#include "map.hpp"
#include "palette_order.hpp"
#include "row_filter.hpp"

namespace chromapress {
namespace {

// Errors are in 1/16 of a squared level; a forbidden one is larger than any path.
constexpr std::uint32_t kLargest = 1 << 22, kForbidden = 1 << 30;
using ErrorRow = std::array<std::uint32_t, kMaxColors>;

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

struct Entries {
  std::array<float, kMaxColors> r{}, g{}, b{}, a{};
  std::array<std::uint32_t, kMaxColors> kind{};
  std::size_t n = 0;
  explicit Entries(std::span<const Rgba> palette) : n(palette.size()) {
    for (std::size_t c = 0; c < n; ++c) {
      const Point p = premultiply(palette[c]);
      r[c] = static_cast<float>(p[0]), g[c] = static_cast<float>(p[1]), b[c] = static_cast<float>(p[2]);
      a[c] = static_cast<float>(p[3]);
      kind[c] = static_cast<std::uint32_t>(kind_of(palette[c]));
    }
    for (std::size_t c = n; c < kMaxColors; ++c) kind[c] = kKinds;
  }
};

CHROMAPRESS_DISPATCH void errors_of(Rgba color, float weight, const Entries& entries, std::uint32_t* out) {
  const Point p = premultiply(color);
  const auto r = static_cast<float>(p[0]), g = static_cast<float>(p[1]), b = static_cast<float>(p[2]);
  const auto a = static_cast<float>(p[3]);
  const auto kind = static_cast<std::uint32_t>(kind_of(color));
  const bool translucent = kind_of(color) == Kind::translucent;
  for (std::size_t c = 0; c < kMaxColors; ++c) {
    const float dr = entries.r[c] - r, dg = entries.g[c] - g, db = entries.b[c] - b, da = entries.a[c] - a;
    const float error = (dr * dr + dg * dg + db * db + da * da) * weight * 16.0f;
    const auto whole =
        static_cast<std::int32_t>(error < static_cast<float>(kLargest) ? error : static_cast<float>(kLargest));
    const bool may = entries.kind[c] == kind || (translucent && entries.kind[c] < kKinds);
    out[c] = may ? static_cast<std::uint32_t>(whole) : kForbidden;
  }
}

CHROMAPRESS_DISPATCH std::uint32_t least_sum(const std::uint32_t* a, const std::uint32_t* b) {
  std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
  for (std::size_t c = 0; c < kMaxColors; ++c) least = std::min(least, a[c] + b[c]);
  return least;
}

// A place on the path: before column x.
struct Node {
  std::uint64_t cost;
  std::uint16_t length, distance;  // of the step that leads here; length 0: a literal
  std::uint8_t index, byte;        // of the pixel before
};

// Replaces the filtered rows of a map by cheaper ones.
class Search {
 public:
  Search(const Pixels& pixels, Activity& activity, std::span<const Rgba> palette, bool sub,
         std::vector<std::uint8_t>& rows)
      : pixels_(pixels),
        activity_(activity),
        entries_(palette),
        sub_(sub),
        rows_(rows),
        weights_(pixels.width),
        errors_(std::min(kSegment, pixels.width)) {}

  void set_costs(const Costs& costs, double lambda) {
    const auto price = [lambda](std::uint32_t bits) {
      return static_cast<std::uint32_t>(std::min(static_cast<double>(kLargest), lambda * 16.0 / kBit * bits));
    };
    for (std::size_t i = 0; i < 2 * kMaxColors; ++i) literal_[i] = price(costs.literal[i % 256]);
    for (std::size_t n = kMinMatch; n <= kMaxMatch; ++n) length_[n] = price(costs.length[n]);
    for (std::size_t code = 0; code < kDistanceCodes; ++code) distance_[code] = price(costs.distance[code]);
    slack_ = price(12 * kBit);
  }

  // `matches` are those of the map before, in rows from `first` on. Rows are done one after the other.
  void row(std::size_t y, const Matches& matches, std::size_t first, std::span<std::uint8_t> indices) {
    const std::size_t w = pixels_.width, stride = w + 1;
    activity_.weights(y, weights_);
    Node last = {0, 0, 0, 0, 0};
    for (std::size_t left = 0; left < w; left += kSegment) {
      const std::size_t n = std::min(kSegment, w - left), start = y * stride + 1 + left;
      for (std::size_t x = 0; x < n; ++x) {
        errors_of(pixels_.at(y * w + left + x), weights_[left + x], entries_, errors_[x].data());
      }
      nodes_.assign(n + 1, Node{std::numeric_limits<std::uint64_t>::max(), 0, 0, 0, 0});
      nodes_[0] = {0, 0, last.distance, last.index, last.byte};
      for (std::size_t x = 0; x < n; ++x) {
        step_literal(x);
        // A run of the last byte, the rows above and their surroundings, the distance of the last match, and where
        // these bytes were found before.
        if (left + x > 0) step_run(x);
        for (const std::size_t distance : {stride, stride - 1, stride + 1, 2 * stride}) step_match(start, x, distance);
        step_match(start, x, nodes_[x].distance);
        const std::span<const Match> found = matches.at(start + x - first);
        for (const Match m : found.last(std::min<std::size_t>(found.size(), 4))) step_match(start, x, m.distance);
      }
      trace(start, n, indices.subspan(left, n));
      last = nodes_[n];
    }
  }

 private:
  // What the byte b after index p stands for.
  [[nodiscard]] std::uint8_t index_of(std::uint8_t p, std::uint8_t b) const {
    return sub_ ? static_cast<std::uint8_t>(p + b) : b;
  }

  void relax(std::size_t x, const Node& node) {
    if (node.cost < nodes_[x].cost) nodes_[x] = node;
  }

  void step_literal(std::size_t x) {
    const Node& node = nodes_[x];
    const std::uint32_t* prices = literal_.data() + (sub_ ? kMaxColors - node.index : 0);
    const std::uint32_t least = least_sum(errors_[x].data(), prices);
    std::size_t c = 0;
    while (errors_[x][c] + prices[c] != least) ++c;
    relax(x + 1, {node.cost + least, 0, 0, static_cast<std::uint8_t>(c),
                  static_cast<std::uint8_t>(sub_ ? c - node.index : c)});
  }

  // `byte(j)` is what is repeated at column x + j.
  template <typename ByteAt>
  void extend(std::size_t x, std::size_t distance, std::size_t most, ByteAt byte) {
    std::uint64_t cost = nodes_[x].cost + distance_[code_of_distance(distance).code];
    std::uint8_t index = nodes_[x].index;
    most = std::min({kMaxMatch, nodes_.size() - 1 - x, most});
    for (std::size_t j = 0; j < most; ++j) {
      const std::uint8_t b = byte(j);
      index = index_of(index, b);
      const std::uint32_t error = errors_[x + j][index];
      cost += error;
      if (error >= kForbidden || cost > std::max(nodes_[x + j + 1].cost, nodes_[x].cost) + slack_) break;
      if (j + 1 >= kMinMatch) {
        relax(x + j + 1, {cost + length_[j + 1], static_cast<std::uint16_t>(j + 1),
                          static_cast<std::uint16_t>(distance), index, b});
      }
    }
  }

  void step_run(std::size_t x) {
    const std::uint8_t b = nodes_[x].byte;
    extend(x, 1, kMaxMatch, [b](std::size_t) { return b; });
  }

  // Only what is done, before this segment, is repeated.
  void step_match(std::size_t start, std::size_t x, std::size_t distance) {
    if (distance <= x || distance > kWindow || distance > start + x) return;
    const std::uint8_t* from = rows_.data() + start + x - distance;
    extend(x, distance, distance - x, [from](std::size_t j) { return from[j]; });
  }

  void trace(std::size_t start, std::size_t n, std::span<std::uint8_t> indices) {
    for (std::size_t end = n; end > 0;) {
      const Node& node = nodes_[end];
      const std::size_t x = end - (node.length == 0 ? 1 : node.length);
      std::uint8_t index = nodes_[x].index;
      for (std::size_t j = x; j < end; ++j) {
        // A literal and a run repeat what the node knows.
        const std::uint8_t b = node.length == 0 || node.distance == 1 ? node.byte : rows_[start + j - node.distance];
        index = index_of(index, b);
        indices[j] = index;
        rows_[start + j] = b;
      }
      end = x;
    }
  }

  static constexpr std::size_t kSegment = 4096;  // columns of one search

  const Pixels& pixels_;
  Activity& activity_;
  Entries entries_;
  bool sub_;
  std::vector<std::uint8_t>& rows_;
  std::vector<float> weights_;
  std::vector<ErrorRow> errors_;
  std::array<std::uint32_t, 2 * kMaxColors> literal_{};
  std::array<std::uint32_t, kMaxMatch + 1> length_{};
  std::array<std::uint32_t, kDistanceCodes> distance_{};
  std::uint32_t slack_ = 0;
  std::vector<Node> nodes_;
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
  const auto rows_of = [&](bool sub) { return filter_rows(best.indices, w, sub ? Filtering::sub : Filtering::none); };
  const bool sub = deflate(rows_of(true), 1).size() < deflate(rows_of(false), 1).size();
  constexpr int kPasses = 2;
  for (int pass = 0; pass < kPasses; ++pass) {
    // The map before, from which bits' costs and matches are learned, and which is replaced row by row.
    const std::vector<std::uint8_t> before = rows_of(sub);
    std::vector<std::uint8_t> rows = before;
    Search search(pixels, activity, best.palette, sub, rows);
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
      search.set_costs(costs_of(counts), lambda);
      for (std::size_t y = top; y < bottom; ++y) {
        search.row(y, matches, first, std::span(best.indices).subspan(y * w, w));
      }
    }
    best.palette = moved(pixels, best.indices, std::move(best.palette), keeps);
  }
  return best;
}

}  // namespace chromapress
