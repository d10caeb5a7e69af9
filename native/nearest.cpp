#include "nearest.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <limits>

#include "dispatch.hpp"

namespace chromapress {
namespace {

constexpr std::size_t kFloatLanes = 8;
constexpr std::size_t kDoubleLanes = 4;
using Float8 = float __attribute__((vector_size(32)));
using Int8x32 = std::int32_t __attribute__((vector_size(32)));
using Double4 = double __attribute__((vector_size(32)));
using Int4x64 = std::int64_t __attribute__((vector_size(32)));

// The centres that may be the nearest of something, in ascending order of their number. The single-precision copy
// only rules out; the double-precision one decides.
struct Candidates {
  std::size_t size = 0;
  std::array<std::uint8_t, kMaxColors> id;
  alignas(32) std::array<std::array<float, kMaxColors>, 4> coarse;
  alignas(32) std::array<float, kMaxColors> coarse_offset;
  std::array<std::array<double, kMaxColors>, 4> exact;
  std::array<double, kMaxColors> offset;

  void add(std::uint8_t number, const Centre& centre) {
    id[size] = number;
    for (std::size_t d = 0; d < 4; ++d) {
      exact[d][size] = centre.at[d];
      coarse[d][size] = static_cast<float>(centre.at[d]);
    }
    offset[size] = centre.offset;
    coarse_offset[size] = static_cast<float>(centre.offset);
    ++size;
  }

  void take(const Candidates& from, std::size_t i) {
    id[size] = from.id[i];
    for (std::size_t d = 0; d < 4; ++d) {
      exact[d][size] = from.exact[d][i];
      coarse[d][size] = from.coarse[d][i];
    }
    offset[size] = from.offset[i];
    coarse_offset[size] = from.coarse_offset[i];
    ++size;
  }
};

// By reference, since returning a 32-byte vector has another ABI with AVX than without.
template <typename Vector, typename T>
inline void load(Vector& v, const T* p) {
  std::memcpy(&v, p, sizeof v);
}

// Keeps the candidates that some point of the box may be nearest to. With m the middle of the box, h its half extents
// and c* the candidate nearest to m, any x = m + t in the box has
//   |x - c|^2 - |x - c*|^2 = |m - c|^2 - |m - c*|^2 - 2 t (c - c*) >= |m - c|^2 - |m - c*|^2 - 2 sum h |c - c*|,
// so that c is out where the right side is above the rounding error of single precision.
CHROMAPRESS_DISPATCH
void rule_out(const Box& box, const Candidates& from, Candidates& kept) {
  kept.size = 0;
  std::array<float, 4> middle, half;
  for (std::size_t d = 0; d < 4; ++d) {
    middle[d] = static_cast<float>(0.5 * (box.lo[d] + box.hi[d]));
    half[d] = static_cast<float>(0.5 * (box.hi[d] - box.lo[d]) * 1.00001 + 1e-4);
  }
  alignas(32) std::array<float, kMaxColors> distance;
  for (std::size_t i = 0; i < from.size; i += kFloatLanes) {
    Float8 sum, column;
    load(sum, &from.coarse_offset[i]);
    for (std::size_t d = 0; d < 4; ++d) {
      load(column, &from.coarse[d][i]);
      const Float8 delta = column - middle[d];
      sum += delta * delta;
    }
    std::memcpy(&distance[i], &sum, sizeof sum);
  }
  std::size_t best = 0;
  for (std::size_t i = 1; i < from.size; ++i) best = distance[i] < distance[best] ? i : best;
  for (std::size_t i = 0; i < from.size; i += kFloatLanes) {
    Float8 reach{}, own, column;
    for (std::size_t d = 0; d < 4; ++d) {
      load(column, &from.coarse[d][i]);
      const Float8 delta = column - from.coarse[d][best];
      reach += half[d] * (delta < 0.0f ? -delta : delta);
    }
    load(own, &distance[i]);
    const Int8x32 keep = own - distance[best] - (reach + reach) <= 4e-5f * (own + 1.0f);
    for (std::size_t lane = 0; lane < kFloatLanes && i + lane < from.size; ++lane) {
      if (keep[lane] != 0) kept.take(from, i + lane);
    }
  }
}

// The nearest candidate of each colour of a leaf.
CHROMAPRESS_DISPATCH
void label_colors(const BoxTree& tree, std::size_t begin, std::size_t end, const Candidates& candidates,
                  std::uint8_t* labels) {
  for (std::size_t i = begin; i < end; i += kDoubleLanes) {
    Double4 x0, x1, x2, x3;
    load(x0, &tree.x[0][i]);
    load(x1, &tree.x[1][i]);
    load(x2, &tree.x[2][i]);
    load(x3, &tree.x[3][i]);
    Double4 least = Double4{} + std::numeric_limits<double>::infinity();
    Int4x64 nearest{};
    for (std::size_t c = 0; c < candidates.size; ++c) {
      const Double4 d0 = x0 - candidates.exact[0][c], d1 = x1 - candidates.exact[1][c],
                    d2 = x2 - candidates.exact[2][c], d3 = x3 - candidates.exact[3][c];
      const Double4 distance = d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3 + candidates.offset[c];
      const Int4x64 closer = distance < least;
      least = closer ? distance : least;
      nearest = closer ? Int4x64{} + candidates.id[c] : nearest;
    }
    for (std::size_t lane = 0; lane < kDoubleLanes && i + lane < end; ++lane) {
      labels[i + lane] = static_cast<std::uint8_t>(nearest[lane]);
    }
  }
}

// Walks the tree: `whole(box, first_color, last_color, centre)` where one centre is left for a box, else
// `single(begin, end, candidates)` for the colours of a leaf.
template <typename Whole, typename Single>
void walk(const BoxTree& tree, std::span<const Centre> centres, Whole whole, Single single) {
  Candidates all{}, of_group{}, of_leaf{};
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const Box& root = tree.kinds[kind];
    if (root.begin == root.end) continue;
    all.size = 0;
    for (std::size_t c = 0; c < centres.size(); ++c) {
      if (static_cast<std::size_t>(centres[c].kind) == kind) all.add(static_cast<std::uint8_t>(c), centres[c]);
    }
    assert(all.size > 0);
    for (std::size_t g = root.begin; g < root.end; ++g) {
      const Box& group = tree.groups[g];
      rule_out(group, all, of_group);
      if (of_group.size == 1) {
        whole(group, tree.leaves[group.begin].begin, tree.leaves[group.end - 1].end, of_group.id[0]);
        continue;
      }
      for (std::size_t l = group.begin; l < group.end; ++l) {
        const Box& leaf = tree.leaves[l];
        rule_out(leaf, of_group, of_leaf);
        if (of_leaf.size == 1) {
          whole(leaf, leaf.begin, leaf.end, of_leaf.id[0]);
        } else {
          single(leaf.begin, leaf.end, of_leaf);
        }
      }
    }
  }
}

}  // namespace

std::vector<Totals> nearest_totals(const BoxTree& tree, std::span<const Centre> centres) {
  std::vector<Totals> totals(centres.size());
  std::vector<std::uint8_t> labels(tree.size());
  walk(
      tree, centres,
      [&](const Box& box, std::size_t, std::size_t, std::uint8_t centre) { totals[centre].add(box.totals); },
      [&](std::size_t begin, std::size_t end, const Candidates& candidates) {
        label_colors(tree, begin, end, candidates, labels.data());
        for (std::size_t i = begin; i < end; ++i) totals[labels[i]].add(tree.weight[i], tree.point(i));
      });
  return totals;
}

std::vector<std::uint8_t> nearest_labels(const BoxTree& tree, std::span<const Centre> centres) {
  std::vector<std::uint8_t> labels(tree.size());
  walk(
      tree, centres,
      [&](const Box&, std::size_t begin, std::size_t end, std::uint8_t centre) {
        std::fill(labels.begin() + static_cast<std::ptrdiff_t>(begin),
                  labels.begin() + static_cast<std::ptrdiff_t>(end), centre);
      },
      [&](std::size_t begin, std::size_t end, const Candidates& candidates) {
        label_colors(tree, begin, end, candidates, labels.data());
      });
  return labels;
}

}  // namespace chromapress
