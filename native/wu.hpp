// Starting centres by variance-based splitting, after Wu, "Efficient statistical computations for optimal color
// quantization" (Graphics Gems II, 1991): the box whose best cut removes the most squared error is cut next. Boxes hold
// colours of one kind, so that kinds never mix.
#pragma once

#include <cstddef>
#include <vector>

#include "box_tree.hpp"
#include "nearest.hpp"

namespace chromapress {

/// The cuts that lead to any number of centres up to the greatest that was asked for.
class WuCuts {
 public:
  WuCuts(const BoxTree& tree, std::size_t most);

  /// Exactly min(k, distinct colours) centres, every kind that occurs among them. k is at least the number of kinds,
  /// and at most `most`.
  [[nodiscard]] std::vector<Centre> centres(std::size_t k) const;

 private:
  struct Cut {
    std::size_t part;   // counted in the order in which they came to be
    Point left, right;  // means: the left one takes its place, the right one is new
  };
  struct History {
    std::vector<Centre> first;  // one for each kind
    std::vector<Cut> cuts;
  };
  static History cut(const BoxTree& tree, std::size_t most, bool use_leaves);

  std::size_t most_by_leaves_ = 0;  // up to so many centres, cuts between leaves are good enough
  History by_leaves_, by_colors_;
};

}  // namespace chromapress
